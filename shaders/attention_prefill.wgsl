// Attention of many rows: tiles of $tile rows by blocks of 32 positions, online softmax. Rows may belong to several sessions:
// each run of rows of one slot inside a tile is computed over that slot's pages.
// q: [row][head][headSize], rows `stride` apart; output: the same, padding columns and rows of padding zero.
// Grid: x is the tile of rows, y the head. A thread makes the scores of four rows, $tile / 4 apart, with 32 / $lanes positions,
// then eight dimensions of the same four rows' output, so largest scores, sums and rescaling stay in its registers; vectors
// go over its four rows. $lanes threads share four rows. Queries, keys and values lie in workgroup memory in units of 16
// bytes, in the storage type; keys and values share their place, and where memory is short a block of them comes in
// $chunks chunks (of dimensions of the keys, of positions of the values). The steps are written out, since loops inside
// the loop cost copies of all sums.
#import parts/step
#import parts/store
#import parts/pages
#if q8
#import parts/unpack
#endif

const TILE: u32 = $tile;
const FOURS: u32 = TILE / 4u;
const LANES: u32 = $lanes;
const THREADS: u32 = FOURS * LANES;
const BLOCK = 32u;                    // positions
const KEYS: u32 = BLOCK / LANES;      // positions whose scores a thread makes
const UNITS: u32 = $units;            // of a head, in workgroup memory
const CHUNK_UNITS: u32 = UNITS / $chunks;
const CHUNK_POSITIONS: u32 = BLOCK / $chunks;
// Where values begin: not where keys do, or Mesa keeps the addresses of all loads of keys in registers for those of values.
const VALUES = 1u;
const WEIGHT_PITCH: u32 = FOURS + 1u; // one more, so that what neighbouring threads store lies in different banks
const SHARED_PITCH: u32 = LANES + 1u;
const HEAD4: u32 = $headSize / 4u;
const HEADS: u32 = $heads;
const STRIDE4: u32 = $stride / 4u;
// Scores are in units of log2, less a number that makes the largest weight 2^14: so a half holds weights down to 2^-28 of it.
const SCALE: f32 = $scale * 1.4426950408889634;
const RAISED = 14.0;
const UNSEEN = -3e38;
const LOWEST = -1e30;

#if f16
alias Unit = vec4<u32>; // eight dimensions
const UNIT_QUADS = 2u;
#else
alias Unit = vec4f;     // four dimensions
const UNIT_QUADS = 1u;
#endif
#if q8
alias KeptUnit = vec4<u32>;
#else
alias KeptUnit = Unit;
#endif
const KEPT_RATIO: u32 = $keptRatio;   // units in workgroup memory that one of the pages becomes
const VALUE_LANES: u32 = LANES * $laneUnits / KEPT_RATIO; // threads that bring a position's values, if there are as many

@group(0) @binding(0) var<storage, read> q: array<S4>;
@group(0) @binding(1) var<storage, read> keys: array<KeptUnit>;
@group(0) @binding(2) var<storage, read> values: array<KeptUnit>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read> step: Step;
@group(0) @binding(5) var<storage, read_write> output: array<S4>;

var<workgroup> queries: array<Unit, UNITS * TILE>;                  // [unit][row]
var<workgroup> kept: array<Unit, CHUNK_UNITS * BLOCK + VALUES>;     // keys [unit][position], values [position][unit]
var<workgroup> weights: array<S4, BLOCK * WEIGHT_PITCH>;            // [position][row / four apart] of four rows
var<workgroup> shared_fours: array<vec4f, FOURS * SHARED_PITCH>;    // [four of rows][lane]

// A row attends its own position and those less than WINDOW before it.
#if window
const WINDOW: u32 = $window;
#else
const WINDOW = 0x40000000u; // more than there are
#endif
const NOTHING = 0xc0000000u; // the position of a row that attends none

fn first_of(position: u32) -> u32 {
  return max(position + 1u, WINDOW) - WINDOW;
}

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_row = group.x * TILE;
  let head = group.y;
  let kv_head = head / (HEADS / KV_HEADS);
  let lane = thread % LANES;
  let four = thread / LANES; // rows four, four + FOURS ... of the tile

  for (var i = thread; i < UNITS * TILE; i += THREADS) {
    queries[i] = query_unit(min(first_row + i % TILE, step.rows - 1u), head, i / TILE);
  }

  var largest = vec4f(LOWEST);
  var weight_sum = vec4f(); // of this thread's positions
  var sums: array<vec4f, 8>;

  let end_row = min(first_row + TILE, step.rows); // beyond, rows are padding
  var run = first_row;
  while run < end_row {
    // rows from `run` to `run_end` are of one slot and attend, together, positions from `first` to `last`
    let slot = step.row[run].slot;
    var first = first_of(step.row[run].position);
    var last = step.row[run].position;
    var run_end = run + 1u;
    while run_end < end_row && step.row[run_end].slot == slot {
      first = min(first, first_of(step.row[run_end].position));
      last = max(last, step.row[run_end].position);
      run_end++;
    }
    last = min(last, PAGES_PER_SLOT * PAGE_POSITIONS - 1u);
    let run_first = run;
    run = run_end;
    if slot == NO_SLOT || first > last {
      continue;
    }

    var own = vec4(NOTHING); // positions of this thread's rows
#for r in 0..4
    {
      let row = first_row + four + $r * FOURS;
      if row >= run_first && row < run_end {
        own[$r] = step.row[row].position;
      }
    }
#endfor

    for (var block = first / BLOCK; block <= last / BLOCK; block++) {
      let base = block_of(slot, block * BLOCK, kv_head) * BLOCK_UNITS;
      let place = block * BLOCK % PAGE_POSITIONS;
      // positions from here on were never written: their place is taken by the last one before
      let end = min(last - block * BLOCK, BLOCK - 1u);

      // zeros written out: a declaration without a value kept the block before's on Mesa 25 (lavapipe)
      var scores = array<vec4f, KEYS>();
#for c in 0..$chunks
      workgroupBarrier();
#for i in 0..$keyLoads
      take_key(base, $c * CHUNK_UNITS / KEPT_RATIO, thread / BLOCK + $i * (THREADS / BLOCK), thread % BLOCK, place, end);
#endfor
      workgroupBarrier();
#for u in 0..$chunkUnits
      {
        let at = ($c * CHUNK_UNITS + $u) * TILE + four;
#for r in 0..4
        let q$r = queries[at + $r * FOURS];
#endfor
#for j in 0..$keys
        scores[$j] = add_scores(scores[$j], q0, q1, q2, q3, kept[$u * BLOCK + lane + $j * LANES]);
#endfor
      }
#endfor
#endfor

      var block_largest = vec4f(UNSEEN);
#for j in 0..$keys
      {
        let position = block * BLOCK + lane + $j * LANES;
        scores[$j] = select(vec4f(UNSEEN), scores[$j], own - vec4(position) < vec4(WINDOW));
        block_largest = max(block_largest, scores[$j]);
      }
#endfor
      shared_fours[four * SHARED_PITCH + lane] = block_largest;
      workgroupBarrier();
#for i in 0..$lanes
      block_largest = max(block_largest, shared_fours[four * SHARED_PITCH + $i]);
#endfor
      let now_largest = max(largest, fma(block_largest, vec4f(SCALE), vec4f(-RAISED)));
      let rescale = exp2(largest - now_largest);
      largest = now_largest;
      weight_sum *= rescale;
#for j in 0..$keys
      {
        let weight = exp2(fma(scores[$j], vec4f(SCALE), -largest));
        weight_sum += weight;
        weights[(lane + $j * LANES) * WEIGHT_PITCH + four] = S4(weight);
      }
#endfor
#for d in 0..8
      sums[$d] *= rescale;
#endfor

#for c in 0..$chunks
#if c != 0
      workgroupBarrier();
#endif
#for i in 0..$valueLoads
      take_value(
        base, $c * CHUNK_POSITIONS, (thread + $i * THREADS) / VALUE_LANES, (thread + $i * THREADS) % VALUE_LANES, place, end);
#endfor
      workgroupBarrier();
#for p in 0..$chunkPositions
      {
        let weight = vec4f(weights[($c * CHUNK_POSITIONS + $p) * WEIGHT_PITCH + four]);
#for i in 0..$laneUnits
        let unit$i = kept[VALUES + $p * UNITS + lane + $i * LANES];
#endfor
#if f16
        let low = vec4f(halves(unit0.x), halves(unit0.y));
        let high = vec4f(halves(unit0.z), halves(unit0.w));
#else
        let low = unit0;
        let high = unit1;
#endif
#for d in 0..4
        sums[$d] = fma(weight, vec4f(low[$d]), sums[$d]);
        sums[4 + $d] = fma(weight, vec4f(high[$d]), sums[4 + $d]);
#endfor
      }
#endfor
#endfor
    }
  }

  workgroupBarrier();
  shared_fours[four * SHARED_PITCH + lane] = weight_sum;
  workgroupBarrier();
  var total = vec4f();
#for i in 0..$lanes
  total += shared_fours[four * SHARED_PITCH + $i];
#endfor
  let scale = select(vec4f(), 1.0 / max(total, vec4f(1e-30)), total > vec4f());
#for r in 0..4
  {
    let row = first_row + four + $r * FOURS;
    let low = vec4f(sums[0][$r], sums[1][$r], sums[2][$r], sums[3][$r]);
    let high = vec4f(sums[4][$r], sums[5][$r], sums[6][$r], sums[7][$r]);
    write(row, head, lane * UNIT_QUADS, low * scale[$r]);
#if f16
    write(row, head, lane * 2u + 1u, high * scale[$r]);
#else
    write(row, head, lane + LANES, high * scale[$r]);
#endif
  }
#endfor
  if head == HEADS - 1u {
    let padding = (HEADS * HEAD4 + 7u) / 8u * 8u - HEADS * HEAD4;
    let zero_rows = min(TILE, arrayLength(&output) / STRIDE4 - first_row);
    for (var i = thread; i < padding * zero_rows; i += THREADS) {
      output[(first_row + i / padding) * STRIDE4 + HEADS * HEAD4 + i % padding] = S4();
    }
  }
}

// 16 bytes of a row's query; zeros behind the head.
fn query_unit(row: u32, head: u32, unit: u32) -> Unit {
#if f16
  let low = bitcast<vec2<u32>>(query_quad(row, head, unit * 2u));
  return vec4(low, bitcast<vec2<u32>>(query_quad(row, head, unit * 2u + 1u)));
#else
  return query_quad(row, head, unit);
#endif
}

fn query_quad(row: u32, head: u32, quad: u32) -> S4 {
  return select(S4(), q[row * STRIDE4 + head * HEAD4 + quad], quad < HEAD4);
}

// A unit of the keys of the pages, of a chunk that begins at their unit `first`, to workgroup memory.
fn take_key(base: u32, first: u32, unit: u32, position: u32, place: u32, end: u32) {
#if keyGuard
  if unit >= CHUNK_UNITS / KEPT_RATIO {
    return;
  }
#endif
  let from_position = place + min(position, end);
#if padded
  let head_unit = min(first + unit, HEAD_UNITS - 1u); // units behind the head meet zeros of the query
#else
  let head_unit = first + unit;
#endif
  let from_unit = keys[base + head_unit * PAGE_POSITIONS + from_position];
#if q8
  let units = keys[base + HEAD_UNITS * PAGE_POSITIONS + from_position / 4u][from_position % 4u];
#for i in 0..$keptRatio
  kept[(unit * KEPT_RATIO + $i) * BLOCK + position] = bytes_unit(from_unit, $i, units);
#endfor
#else
  kept[unit * BLOCK + position] = from_unit;
#endif
}

// A unit of the values of the pages, of a chunk that begins at position `first` of the block, to workgroup memory.
fn take_value(base: u32, first: u32, position: u32, unit: u32, place: u32, end: u32) {
#if valueGuard
  if position >= CHUNK_POSITIONS || unit >= HEAD_UNITS {
    return;
  }
#endif
  let from_position = place + min(first + position, end);
  let from_unit = values[base + from_position * HEAD_UNITS + unit];
#if q8
  let units = values[base + HEAD_UNITS * PAGE_POSITIONS + from_position / 4u][from_position % 4u];
#for i in 0..$keptRatio
  kept[VALUES + position * UNITS + unit * KEPT_RATIO + $i] = bytes_unit(from_unit, $i, units);
#endfor
#else
  kept[VALUES + position * UNITS + unit] = from_unit;
#endif
}

#if q8
// The i-th unit of workgroup memory in a unit of bytes, and what these mean.
fn bytes_unit(bytes: vec4<u32>, i: u32, units: u32) -> Unit {
  let scale = scale_in(units);
#if f16
  let words = select(bytes.xy, bytes.zw, i == 1u);
  let offset = fma(scale, -1152.0, middle_in(units)); // 1024, and 128 that all bytes have been raised by
  let numbers = vec4(words.x, words.x >> 8u, words.y, words.y >> 8u) & vec4(0x00ff00ffu);
  return vec4(
    scaled_pair(above_1024(numbers.x), scale, offset), scaled_pair(above_1024(numbers.y), scale, offset),
    scaled_pair(above_1024(numbers.z), scale, offset), scaled_pair(above_1024(numbers.w), scale, offset));
#else
  return scaled_fields(bytes[i], vec4(0xffu, 0xff0000u, 0xff00u, 0xff000000u), scale, fma(scale, -128.0, middle_in(units)));
#endif
}
#endif

// Adds what a unit of dimensions brings to the scores of four rows with one position.
fn add_scores(scores: vec4f, q0: Unit, q1: Unit, q2: Unit, q3: Unit, key: Unit) -> vec4f {
  var sums = scores;
#if f16
#for i in 0..4
  {
    let k = halves(key[$i]);
    let first = vec4f(halves(q0[$i]).x, halves(q1[$i]).x, halves(q2[$i]).x, halves(q3[$i]).x);
    let second = vec4f(halves(q0[$i]).y, halves(q1[$i]).y, halves(q2[$i]).y, halves(q3[$i]).y);
    sums = fma(second, vec4f(k.y), fma(first, vec4f(k.x), sums));
  }
#endfor
#else
#for i in 0..4
  sums = fma(vec4f(q0[$i], q1[$i], q2[$i], q3[$i]), vec4f(key[$i]), sums);
#endfor
#endif
  return sums;
}

#if f16
fn halves(word: u32) -> vec2f {
  return vec2f(bitcast<vec2<f16>>(word));
}
#endif

fn write(row: u32, head: u32, quad: u32, value: vec4f) {
  if quad < HEAD4 && row < arrayLength(&output) / STRIDE4 {
    output[row * STRIDE4 + head * HEAD4 + quad] = store4(value);
  }
}
