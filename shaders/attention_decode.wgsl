// Attention of single rows: for each row and each block of query heads that share a KV head,
//   sum over positions j of exp(scale q.k_j - m) v_j,  m the largest score,  l the sum of the exponentials,
// over one split of the row's positions. Online over pages: a page is read once for all heads of the block.
// q: [row][head][headSize], rows `stride` apart. partials: [row][head][split] of headSize sums, then m, l, two unused.
// attention_merge.wgsl joins the splits.
// Grid: x is KV head and block of its query heads, y the row, z the split. 64 threads: one a position for the scores,
// then one a group of four dimensions, as many positions at once as fit.
#import parts/splits
#import parts/key_value

const HEAD4: u32 = $headSize / 4u;
const LANES: u32 = 64u / HEAD4;
const HEADS: u32 = $heads;
const GROUP: u32 = $heads / KV_HEADS; // query heads of a KV head
const BLOCK: u32 = $block;            // query heads of a workgroup, at most 8
const BLOCKS: u32 = (GROUP + BLOCK - 1u) / BLOCK;
const PARTIAL4: u32 = HEAD4 + 1u;
const LOWEST = -1e30;

@group(0) @binding(0) var<storage, read> q: array<S4>;
@group(0) @binding(1) var<storage, read> keys: array<Quad>;
@group(0) @binding(2) var<storage, read> values: array<Quad>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read> step: Step;
@group(0) @binding(5) var<storage, read_write> partials: array<vec4f>;

var<workgroup> queries: array<vec4f, BLOCK * HEAD4>;
var<workgroup> scores: array<f32, BLOCK * 64u>;
var<workgroup> parts: array<f32, BLOCK * 8u>;
var<workgroup> lanes: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = step.row[group.y];
  if row.slot == NO_SLOT || row.position >= PAGES_PER_SLOT * PAGE_POSITIONS {
    return;
  }
  let span = span_of(row.position);
  let first_page = group.z * span.split_pages;
  if first_page >= span.pages {
    return;
  }
  let last_page = min(first_page + span.split_pages, span.pages);
  let kv_head = group.x / BLOCKS;
  let first_head = kv_head * GROUP + group.x % BLOCKS * BLOCK;
  let block = min(BLOCK, (kv_head + 1u) * GROUP - first_head);

  let q_first = group.y * ($stride / 4u) + first_head * HEAD4;
  for (var i = thread; i < BLOCK * HEAD4; i += 64u) {
    if i < block * HEAD4 {
      queries[i] = vec4f(q[q_first + i]) * $scale;
    } else {
      queries[i] = vec4f();
    }
  }
  workgroupBarrier();

  let lane = thread / HEAD4;
  let dimension = thread % HEAD4;
  var largest: array<f32, BLOCK>;
  var weight_sum: array<f32, BLOCK>; // of this thread's positions
  var sum: array<vec4f, BLOCK>;      // of this thread's lane and dimensions
  for (var h = 0u; h < BLOCK; h++) {
    largest[h] = LOWEST;
  }

  for (var p = first_page; p < last_page; p++) {
    let page_first = (span.page + p) * PAGE_POSITIONS;
    let kept = block_of(row.slot, page_first, kv_head);
    // positions of the page that count: what lies beyond them was never written
    let from_ = max(span.first, page_first) - page_first;
    let to = min(row.position + 1u - page_first, PAGE_POSITIONS);
    let counts = thread >= from_ && thread < to;

    // zeros written out: a declaration without a value kept the page before's on Mesa 25 (lavapipe)
    var score = array<f32, BLOCK>();
    if counts {
      for (var d = 0u; d < HEAD4; d++) {
        let x = unpack_quad(keys[key_quad(kept, thread, d)]);
        for (var h = 0u; h < BLOCK; h++) {
          score[h] += dot(queries[h * HEAD4 + d], x);
        }
      }
    }
    for (var h = 0u; h < BLOCK; h++) {
      scores[h * 64u + thread] = select(LOWEST, score[h], counts);
    }
    workgroupBarrier();
    if thread / 8u < BLOCK {
      var part = LOWEST;
      for (var i = thread * 8u; i < thread * 8u + 8u; i++) {
        part = max(part, scores[i]);
      }
      parts[thread] = part;
    }
    workgroupBarrier();
    for (var h = 0u; h < BLOCK; h++) {
      var page_largest = largest[h];
      for (var i = 0u; i < 8u; i++) {
        page_largest = max(page_largest, parts[h * 8u + i]);
      }
      let rescale = exp(largest[h] - page_largest);
      let weight = select(0.0, exp(score[h] - page_largest), counts);
      largest[h] = page_largest;
      weight_sum[h] = weight_sum[h] * rescale + weight;
      sum[h] *= rescale;
      scores[h * 64u + thread] = weight;
    }
    workgroupBarrier();
    if lane < LANES {
      for (var i = from_ + lane; i < to; i += LANES) {
        let x = unpack_quad(values[value_quad(kept, i, dimension)]);
        for (var h = 0u; h < BLOCK; h++) {
          sum[h] += scores[h * 64u + i] * x;
        }
      }
    }
    workgroupBarrier();
  }

  for (var h = 0u; h < BLOCK; h++) {
    scores[h * 64u + thread] = weight_sum[h];
  }
  workgroupBarrier();
  if thread / 8u < BLOCK {
    var part = 0.0;
    for (var i = thread * 8u; i < thread * 8u + 8u; i++) {
      part += scores[i];
    }
    parts[thread] = part;
  }
  for (var h = 0u; h < BLOCK; h++) {
    lanes[thread] = sum[h];
    workgroupBarrier();
    let partial = ((group.y * HEADS + first_head + h) * SPLITS + group.z) * PARTIAL4;
    if h < block && thread < HEAD4 {
      var total = lanes[thread];
      for (var i = 1u; i < LANES; i++) {
        total += lanes[i * HEAD4 + thread];
      }
      partials[partial + thread] = total;
    }
    if h < block && thread == 0u {
      var total = 0.0;
      for (var i = h * 8u; i < h * 8u + 8u; i++) {
        total += parts[i];
      }
      partials[partial + HEAD4] = vec4f(largest[h], total, 0.0, 0.0);
    }
    workgroupBarrier();
  }
}
