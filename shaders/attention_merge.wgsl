// Joins the splits of attention_decode.wgsl: output = sum of 2^(m_s - m) o_s / sum of 2^(m_s - m) l_s.
// output: rows of activations (parts/row) of [head][headSize], whose scale is that of the row of q; rows of padding are zero.
// Grid: x is 256 columns of the row, y the row. A thread has four neighbouring columns.
#import parts/splits
#import parts/row_write

const HEAD4: u32 = $headSize / 4u;
const HEADS: u32 = $heads;
const UNITS: u32 = ($heads * $headSize + 31u) / 32u;
const PARTIAL4: u32 = HEAD4 + 1u;

@group(0) @binding(0) var<storage, read> partials: array<vec4f>;
@group(0) @binding(1) var<storage, read> q: array<u32>;
@group(0) @binding(2) var<storage, read> step: Step;
@group(0) @binding(3) var<storage, read_write> output: array<u32>;

var<workgroup> sums: array<f32, 64>; // of four columns, as they are stored

/// Four columns of a head of a row.
fn merged(row: u32, position: u32, head: u32, quad: u32) -> vec4f {
  let span = span_of(position);
  let used = (span.pages + span.split_pages - 1u) / span.split_pages;
  let first = (row * HEADS + head) * SPLITS * PARTIAL4;
  var largest = partials[first + HEAD4].x;
  for (var s = 1u; s < used; s++) {
    largest = max(largest, partials[first + s * PARTIAL4 + HEAD4].x);
  }
  var sum = vec4f();
  var weight_sum = 0.0;
  for (var s = 0u; s < used; s++) {
    let partial = first + s * PARTIAL4;
    let scale = exp2(partials[partial + HEAD4].x - largest);
    weight_sum += scale * partials[partial + HEAD4].y;
    sum += scale * partials[partial + quad];
  }
  return sum / weight_sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = step.row[group.y];
  let first = group.y * row_words(UNITS);
  let quad = group.x * 64u + thread;
  let padding = row.slot == NO_SLOT || row.position >= PAGES_PER_SLOT * PAGE_POSITIONS;
  var value = vec4f();
  if !padding && quad < HEADS * HEAD4 {
    value = merged(group.y, row.position, quad / HEAD4, quad % HEAD4);
  }
  let low = stored(value.xy);
  let high = stored(value.zw);
  sums[thread] = (low.x + low.y) + (high.x + high.y);
  workgroupBarrier();
  if quad >= UNITS * 8u {
    return;
  }
  write_pair(first, quad * 2u, low);
  write_pair(first, quad * 2u + 1u, high);
  if thread % 2u == 0u {
    write_sum(first, UNITS, quad / 2u, sums[thread] + sums[thread + 1u]);
  }
  if quad == 0u {
    write_scale(first, UNITS, select(bitcast<f32>(q[first + row_scale(UNITS) * 4u]), 1.0, padding));
  }
}
