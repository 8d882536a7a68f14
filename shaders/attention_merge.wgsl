// Joins the splits of attention_decode.wgsl: output = sum of 2^(m_s - m) o_s / sum of 2^(m_s - m) l_s.
// output: [row][head][headSize], rows `stride` apart, padding columns and rows of padding zero.
// Grid: x is the head, y the row.
#import parts/store
#import parts/splits

const HEAD4: u32 = $headSize / 4u;
const HEADS: u32 = $heads;
const STRIDE4: u32 = $stride / 4u;
const PARTIAL4: u32 = HEAD4 + 1u;

@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read_write> output: array<S4>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = step.row[group.y];
  let head = group.x;
  let first = group.y * STRIDE4;
  if head == HEADS - 1u {
    for (var i = HEADS * HEAD4 + thread; i < STRIDE4; i += 64u) {
      output[first + i] = S4();
    }
  }
  if thread >= HEAD4 {
    return;
  }
  if row.slot == NO_SLOT || row.position >= PAGES_PER_SLOT * PAGE_POSITIONS {
    output[first + head * HEAD4 + thread] = S4();
    return;
  }
  let span = span_of(row.position);
  let used = (span.pages + span.split_pages - 1u) / span.split_pages;
  let partial = (group.y * HEADS + head) * SPLITS * PARTIAL4;
  var largest = partials[partial + HEAD4].x;
  for (var s = 1u; s < used; s++) {
    largest = max(largest, partials[partial + s * PARTIAL4 + HEAD4].x);
  }
  var sum = vec4f();
  var weight_sum = 0.0;
  for (var s = 0u; s < used; s++) {
    let at = partial + s * PARTIAL4;
    let scale = exp2(partials[at + HEAD4].x - largest);
    weight_sum += scale * partials[at + HEAD4].y;
    sum += scale * partials[at + thread];
  }
  output[first + head * HEAD4 + thread] = store4(sum / weight_sum);
}
