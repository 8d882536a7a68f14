// Attention of many rows: tiles of 32 rows by 32 positions, online softmax, f32 in workgroup memory (14.5 KiB).
// Rows may belong to several sessions: each run of rows of one slot inside a tile is computed over that slot's pages.
// q: [row][head][headSize], rows `stride` apart; output: the same, padding columns and rows of padding zero.
// Grid: x is the tile of rows, y the head. 64 threads, each 4 rows by 4 positions, then 4 rows by 4 dimensions.
#import parts/step
#import parts/key_value

const TILE = 32u;
const TILE4 = 8u;    // vec4s of a tile's row
const PITCH4 = 9u;   // between rows of a tile in workgroup memory
const HEAD4: u32 = $headSize / 4u;
const CHUNKS: u32 = ($headSize + 31u) / 32u; // of 32 dimensions
const HEADS: u32 = $heads;
const STRIDE4: u32 = $stride / 4u;
const LOWEST = -1e30;

@group(0) @binding(0) var<storage, read> q: array<S4>;
@group(0) @binding(1) var<storage, read> keys: array<Quad>;
@group(0) @binding(2) var<storage, read> values: array<Quad>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read> step: Step;
@group(0) @binding(5) var<storage, read_write> output: array<S4>;

var<workgroup> query_tile: array<vec4f, TILE * PITCH4>;  // [row][dimension of the chunk]
var<workgroup> kv_tile: array<vec4f, TILE * PITCH4>;     // [position][dimension of the chunk]
var<workgroup> weight_tile: array<vec4f, TILE * PITCH4>; // [row][position]
var<workgroup> parts: array<vec4f, 64>;                  // [4 rows][8 threads of a row]

/// Where keys and values begin: a block and a position of its page.
struct Place { block: u32, position: u32 }

/// Positions that a row attends; none when first > last.
struct Reach { first: u32, last: u32 }

fn reach_of(position: u32) -> Reach {
#if window
  return Reach(max(position + 1u, $window) - $window, position);
#else
  return Reach(0u, position);
#endif
}

fn load_queries(first_row: u32, end_row: u32, head: u32, chunk: u32, thread: u32) {
  for (var i = thread; i < TILE * TILE4; i += 64u) {
    let row = first_row + i / TILE4;
    let d = chunk * TILE4 + i % TILE4;
    var x = vec4f();
    if row < end_row && d < HEAD4 {
      x = vec4f(q[row * STRIDE4 + head * HEAD4 + d]);
    }
    query_tile[i / TILE4 * PITCH4 + i % TILE4] = x * $scale;
  }
}

/// Loads 32 positions of a page from `place` on, zeros where nothing was written yet.
fn load_keys(place: Place, valid: u32, chunk: u32, thread: u32) {
  for (var i = thread; i < TILE * TILE4; i += 64u) {
    let d = chunk * TILE4 + i % TILE4;
    var x = vec4f();
    if i / TILE4 < valid && d < HEAD4 {
      x = unpack_quad(keys[key_quad(place.block, place.position + i / TILE4, d)]);
#if q8
      let units = keys[scale_quad(place.block, place.position + i / TILE4)];
      x = fma(x, vec4f(scale_in(units)), vec4f(middle_in(units)));
#endif
    }
    kv_tile[i / TILE4 * PITCH4 + i % TILE4] = x;
  }
}

fn load_values(place: Place, valid: u32, chunk: u32, thread: u32) {
  for (var i = thread; i < TILE * TILE4; i += 64u) {
    let d = chunk * TILE4 + i % TILE4;
    var x = vec4f();
    if i / TILE4 < valid && d < HEAD4 {
      x = unpack_quad(values[value_quad(place.block, place.position + i / TILE4, d)]);
#if q8
      let units = values[scale_quad(place.block, place.position + i / TILE4)];
      x = fma(x, vec4f(scale_in(units)), vec4f(middle_in(units)));
#endif
    }
    kv_tile[i / TILE4 * PITCH4 + i % TILE4] = x;
  }
}

/// sum (4 rows of 4 dimensions) = sum * rescale + weights . values, for one chunk of dimensions.
fn accumulate(
  sum: ptr<function, array<vec4f, 4>>, rescale: vec4f, place: Place, valid: u32, chunk: u32, thread: u32) {
  workgroupBarrier();
  load_values(place, valid, chunk, thread);
  workgroupBarrier();
  let rows = thread / TILE4 * 4u;
  let column = thread % TILE4;
  var s0 = (*sum)[0] * rescale.x;
  var s1 = (*sum)[1] * rescale.y;
  var s2 = (*sum)[2] * rescale.z;
  var s3 = (*sum)[3] * rescale.w;
  for (var k = 0u; k < (valid + 3u) / 4u; k++) {
    let w0 = weight_tile[rows * PITCH4 + k];
    let w1 = weight_tile[(rows + 1u) * PITCH4 + k];
    let w2 = weight_tile[(rows + 2u) * PITCH4 + k];
    let w3 = weight_tile[(rows + 3u) * PITCH4 + k];
    let v0 = kv_tile[(k * 4u) * PITCH4 + column];
    let v1 = kv_tile[(k * 4u + 1u) * PITCH4 + column];
    let v2 = kv_tile[(k * 4u + 2u) * PITCH4 + column];
    let v3 = kv_tile[(k * 4u + 3u) * PITCH4 + column];
    s0 += w0.x * v0 + w0.y * v1 + w0.z * v2 + w0.w * v3;
    s1 += w1.x * v0 + w1.y * v1 + w1.z * v2 + w1.w * v3;
    s2 += w2.x * v0 + w2.y * v1 + w2.z * v2 + w2.w * v3;
    s3 += w3.x * v0 + w3.y * v1 + w3.z * v2 + w3.w * v3;
  }
  (*sum)[0] = s0;
  (*sum)[1] = s1;
  (*sum)[2] = s2;
  (*sum)[3] = s3;
}

fn write_chunk(sum: ptr<function, array<vec4f, 4>>, scale: vec4f, first_row: u32, head: u32, chunk: u32, thread: u32) {
  let d = chunk * TILE4 + thread % TILE4;
  if d >= HEAD4 {
    return;
  }
  for (var r = 0u; r < 4u; r++) {
    let row = first_row + thread / TILE4 * 4u + r;
    if row < arrayLength(&output) / STRIDE4 {
      output[row * STRIDE4 + head * HEAD4 + d] = store4((*sum)[r] * scale[r]);
    }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_row = group.x * TILE;
  let head = group.y;
  let kv_head = head / (HEADS / KV_HEADS);
  let rows = thread / TILE4 * 4u; // this thread's four, within the tile
  let column = thread % TILE4;

  var largest = vec4f(LOWEST);
  var weight_sum = vec4f(); // of this thread's positions
  var sum0: array<vec4f, 4>;
#if chunks >= 2
  var sum1: array<vec4f, 4>;
#endif
#if chunks >= 3
  var sum2: array<vec4f, 4>;
#endif
#if chunks >= 4
  var sum3: array<vec4f, 4>;
#endif
#if chunks >= 5
  var sum4: array<vec4f, 4>;
#endif
#if chunks >= 6
  var sum5: array<vec4f, 4>;
#endif
#if chunks >= 7
  var sum6: array<vec4f, 4>;
#endif
#if chunks >= 8
  var sum7: array<vec4f, 4>;
#endif

  let end_row = min(first_row + TILE, step.rows); // beyond, rows are padding
  var run = first_row;
  while run < end_row {
    // rows from `run` to `run_end` are of one slot and attend, together, positions from `first` to `last`
    let slot = step.row[run].slot;
    var first = reach_of(step.row[run].position).first;
    var last = step.row[run].position;
    var run_end = run + 1u;
    while run_end < end_row && step.row[run_end].slot == slot {
      first = min(first, reach_of(step.row[run_end].position).first);
      last = max(last, step.row[run_end].position);
      run_end++;
    }
    last = min(last, PAGES_PER_SLOT * PAGE_POSITIONS - 1u);
    let run_first = run;
    run = run_end;
    if slot == NO_SLOT || first > last {
      continue;
    }

    var reach: array<Reach, 4>;
    for (var r = 0u; r < 4u; r++) {
      let row = first_row + rows + r;
      reach[r] = Reach(1u, 0u);
      if row >= run_first && row < run_end {
        reach[r] = reach_of(step.row[row].position);
      }
    }

    for (var block = first / TILE; block <= last / TILE; block++) {
      let place = Place(block_of(slot, block * TILE, kv_head), block * TILE % PAGE_POSITIONS);
      let valid = min(last + 1u - block * TILE, TILE);

      var score0 = vec4f();
      var score1 = vec4f();
      var score2 = vec4f();
      var score3 = vec4f();
      for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        workgroupBarrier();
        load_queries(first_row, end_row, head, chunk, thread);
        load_keys(place, valid, chunk, thread);
        workgroupBarrier();
        let columns4 = min(TILE4, HEAD4 - chunk * TILE4);
        for (var d = 0u; d < columns4; d++) {
          let q0 = query_tile[rows * PITCH4 + d];
          let q1 = query_tile[(rows + 1u) * PITCH4 + d];
          let q2 = query_tile[(rows + 2u) * PITCH4 + d];
          let q3 = query_tile[(rows + 3u) * PITCH4 + d];
          let k0 = kv_tile[(column * 4u) * PITCH4 + d];
          let k1 = kv_tile[(column * 4u + 1u) * PITCH4 + d];
          let k2 = kv_tile[(column * 4u + 2u) * PITCH4 + d];
          let k3 = kv_tile[(column * 4u + 3u) * PITCH4 + d];
          score0 += vec4f(dot(q0, k0), dot(q0, k1), dot(q0, k2), dot(q0, k3));
          score1 += vec4f(dot(q1, k0), dot(q1, k1), dot(q1, k2), dot(q1, k3));
          score2 += vec4f(dot(q2, k0), dot(q2, k1), dot(q2, k2), dot(q2, k3));
          score3 += vec4f(dot(q3, k0), dot(q3, k1), dot(q3, k2), dot(q3, k3));
        }
      }

      let position = vec4u(block * TILE + column * 4u) + vec4u(0u, 1u, 2u, 3u);
      let seen0 = (position >= vec4u(reach[0].first)) & (position <= vec4u(reach[0].last));
      let seen1 = (position >= vec4u(reach[1].first)) & (position <= vec4u(reach[1].last));
      let seen2 = (position >= vec4u(reach[2].first)) & (position <= vec4u(reach[2].last));
      let seen3 = (position >= vec4u(reach[3].first)) & (position <= vec4u(reach[3].last));
      parts[thread] = vec4f(
        largest_of(score0, seen0), largest_of(score1, seen1), largest_of(score2, seen2), largest_of(score3, seen3));
      workgroupBarrier();
      var block_largest = largest;
      for (var i = 0u; i < TILE4; i++) {
        block_largest = max(block_largest, parts[thread / TILE4 * TILE4 + i]);
      }
      let rescale = exp(largest - block_largest);
      largest = block_largest;
      let weight0 = select(vec4f(), exp(score0 - largest.x), seen0);
      let weight1 = select(vec4f(), exp(score1 - largest.y), seen1);
      let weight2 = select(vec4f(), exp(score2 - largest.z), seen2);
      let weight3 = select(vec4f(), exp(score3 - largest.w), seen3);
      let one = vec4f(1.0);
      weight_sum = weight_sum * rescale
        + vec4f(dot(weight0, one), dot(weight1, one), dot(weight2, one), dot(weight3, one));
      weight_tile[rows * PITCH4 + column] = weight0;
      weight_tile[(rows + 1u) * PITCH4 + column] = weight1;
      weight_tile[(rows + 2u) * PITCH4 + column] = weight2;
      weight_tile[(rows + 3u) * PITCH4 + column] = weight3;

      accumulate(&sum0, rescale, place, valid, 0u, thread);
#if chunks >= 2
      accumulate(&sum1, rescale, place, valid, 1u, thread);
#endif
#if chunks >= 3
      accumulate(&sum2, rescale, place, valid, 2u, thread);
#endif
#if chunks >= 4
      accumulate(&sum3, rescale, place, valid, 3u, thread);
#endif
#if chunks >= 5
      accumulate(&sum4, rescale, place, valid, 4u, thread);
#endif
#if chunks >= 6
      accumulate(&sum5, rescale, place, valid, 5u, thread);
#endif
#if chunks >= 7
      accumulate(&sum6, rescale, place, valid, 6u, thread);
#endif
#if chunks >= 8
      accumulate(&sum7, rescale, place, valid, 7u, thread);
#endif
    }
  }

  workgroupBarrier();
  parts[thread] = weight_sum;
  workgroupBarrier();
  var total = vec4f();
  for (var i = 0u; i < TILE4; i++) {
    total += parts[thread / TILE4 * TILE4 + i];
  }
  let scale = select(vec4f(), 1.0 / max(total, vec4f(1e-30)), total > vec4f());
  write_chunk(&sum0, scale, first_row, head, 0u, thread);
#if chunks >= 2
  write_chunk(&sum1, scale, first_row, head, 1u, thread);
#endif
#if chunks >= 3
  write_chunk(&sum2, scale, first_row, head, 2u, thread);
#endif
#if chunks >= 4
  write_chunk(&sum3, scale, first_row, head, 3u, thread);
#endif
#if chunks >= 5
  write_chunk(&sum4, scale, first_row, head, 4u, thread);
#endif
#if chunks >= 6
  write_chunk(&sum5, scale, first_row, head, 5u, thread);
#endif
#if chunks >= 7
  write_chunk(&sum6, scale, first_row, head, 6u, thread);
#endif
#if chunks >= 8
  write_chunk(&sum7, scale, first_row, head, 7u, thread);
#endif
  if head == HEADS - 1u {
    let padding = STRIDE4 - HEADS * HEAD4;
    let zero_rows = min(TILE, arrayLength(&output) / STRIDE4 - first_row);
    for (var i = thread; i < padding * zero_rows; i += 64u) {
      output[(first_row + i / padding) * STRIDE4 + HEADS * HEAD4 + i % padding] = S4();
    }
  }
}

fn largest_of(score: vec4f, seen: vec4<bool>) -> f32 {
  let x = select(vec4f(LOWEST), score, seen);
  return max(max(x.x, x.y), max(x.z, x.w));
}
