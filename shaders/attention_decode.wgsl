// Attention of single rows: for each row and each block of query heads that share a KV head,
//   sum over positions j of 2^(s_j - m) v_j,  s_j = scale log2(e) q.k_j,  m the largest,  l the sum of the powers,
// over one split of the row's positions. Keys and values are loaded once for all heads of the block.
// q: [row][head][headSize], rows `stride` apart. partials: [row][head][split] of headSize sums, then m, l, two unused.
// attention_merge.wgsl joins the splits.
// Grid: x is KV head and block of its query heads, y the row, z the split. 64 threads. A thread has whole positions
// first, perThread at once, for whose scores it needs no other; then valueDims dimensions of every LANES-th position.
#import parts/splits
#import parts/kv_units

const HEAD4: u32 = $headSize / 4u;
const HEADS: u32 = $heads;
const GROUP: u32 = $heads / KV_HEADS; // query heads of a KV head
const BLOCK: u32 = $block;            // query heads of a workgroup, at most 8
const BLOCKS: u32 = (GROUP + BLOCK - 1u) / BLOCK;
const WIDTH: u32 = $width; // heads of a vector
const SETS: u32 = $sets;   // vectors for all heads of the block
const PER_THREAD: u32 = $perThread;
const PAGE_THREADS: u32 = 64u / PER_THREAD;
const DIMS: u32 = $valueDims;
const DIM_GROUPS: u32 = KEPT_DIMS / DIMS;
const LANES: u32 = 64u / DIM_GROUPS;
const VALUE_UNITS: u32 = UNIT_DIMS / DIMS; // in 16 bytes
const PARTIAL: u32 = $headSize + 4u;
const LOWEST = -1e30;
const SCALE: f32 = $scale * 1.4426950408889634;

#if width == 2
alias Heads = vec2f;
#endif
#if width == 3
alias Heads = vec3f;
#endif
#if width == 4
alias Heads = vec4f;
#endif

@group(0) @binding(0) var<storage, read> q: array<S4>;
@group(0) @binding(1) var<storage, read> keys: array<KeyUnit>;
@group(0) @binding(2) var<storage, read> values: array<ValueUnit>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read> step: Step;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;

var<workgroup> queries: array<Word4, WIDTH * SETS * HEAD_WORDS>; // [head][word4]
#if q8
var<workgroup> query_sums: array<f32, WIDTH * SETS>; // of each head's dimensions
#endif
var<workgroup> scores: array<Heads, SPLIT_PAGES * PAGE_POSITIONS * SETS>; // [position of the split][set], then weights
var<workgroup> parts: array<Heads, 64u * SETS>;

fn query_quad(first: u32, head: u32, quad: u32, heads: u32) -> S4 {
  if head >= heads || quad >= HEAD4 {
    return S4();
  }
  return q[first + head * HEAD4 + quad];
}

#if q8
/// What the bytes of a position mean, of the block that begins at 16 bytes times `first`.
fn key_units(first: u32, position: u32) -> u32 {
  return keys[first + HEAD_UNITS * PAGE_POSITIONS + position / 4u][position % 4u];
}
fn value_scale(first: u32, position: u32) -> f32 {
  let units = (first + HEAD_UNITS * PAGE_POSITIONS) * VALUE_UNITS;
#if valueDims == 8
  return scale_in(values[units + position / 2u][position % 2u]);
#else
  return scale_in(values[units + position]);
#endif
}
#endif

#if q8
/// The product of a query and a key, from the sum of its products with the key's bytes, OFFSET left in.
fn of_bytes(sum: f32, query_sum: f32, units: u32) -> f32 {
  return fma(fma(-OFFSET, query_sum, sum), scale_in(units), query_sum * middle_in(units));
}
#endif

fn multiply_add(a: vec4f, b: vec4f, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

fn partial_of(group: vec3u, head: u32) -> u32 {
  return ((group.y * HEADS + head) * SPLITS + group.z) * PARTIAL;
}

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
  let split_pages = min(span.split_pages, span.pages - first_page);
  let split_first = (span.page + first_page) * PAGE_POSITIONS;
  // positions of the split that count
  let begin = max(span.first, split_first) - split_first;
  let end = min(row.position + 1u - split_first, split_pages * PAGE_POSITIONS);
  let kv_head = group.x / BLOCKS;
  let first_head = kv_head * GROUP + group.x % BLOCKS * BLOCK;
  let heads = min(BLOCK, (kv_head + 1u) * GROUP - first_head);

  let q_first = group.y * ($stride / 4u) + first_head * HEAD4;
  for (var i = thread; i < WIDTH * SETS * HEAD_WORDS; i += 64u) {
    let head = i / HEAD_WORDS;
    let first = i % HEAD_WORDS * (WORD_DIMS / 4u);
#if f16
    let low = bitcast<vec2<u32>>(query_quad(q_first, head, first, heads));
    queries[i] = vec4(low, bitcast<vec2<u32>>(query_quad(q_first, head, first + 1u, heads)));
#else
    queries[i] = query_quad(q_first, head, first, heads);
#endif
  }
  workgroupBarrier();
#if q8
  if thread < WIDTH * SETS {
    var sum = vec4f();
    for (var i = 0u; i < HEAD_WORDS; i++) {
      let x = numbers_of(queries[thread * HEAD_WORDS + i]);
#for c in 0..$wordQuads
      sum += x[$c];
#endfor
    }
    query_sums[thread] = dot(sum, vec4f(1.0));
  }
  workgroupBarrier();
#endif

  // scores: of positions of one page, PAGE_THREADS apart, at once
#for s in 0..$sets
  var most$s = Heads(LOWEST);
#endfor
  for (var at = thread / PAGE_THREADS * PAGE_POSITIONS + thread % PAGE_THREADS; at < end; at += 64u * PER_THREAD) {
#for p in 0..$perThread
#for s in 0..$sets
    var score$p$s = Heads();
#endfor
#endfor
    let first = block_of(row.slot, split_first + at, kv_head) * BLOCK_UNITS;
    // what lies beyond the row's position was never written: the last that was is loaded instead
#for p in 0..$perThread
    let place$p = min(at + $p * PAGE_THREADS, end - 1u) % PAGE_POSITIONS;
    let key$p = first + place$p;
#endfor
    for (var u = 0u; u < HEAD_UNITS; u++) {
#for p in 0..$perThread
      let unit$p = keys[key$p + u * PAGE_POSITIONS];
#endfor
#for i in 0..$unitWords
      {
#for p in 0..$perThread
        let k$p = key_numbers(unit$p, $i);
#endfor
#for s in 0..$sets
#for w in 0..$width
        {
          let x = numbers_of(queries[($s * WIDTH + $w) * HEAD_WORDS + u * UNIT_WORDS + $i]);
#for p in 0..$perThread
#for c in 0..$wordQuads
          score$p$s[$w] = multiply_add(x[$c], k$p[$c], score$p$s[$w]);
#endfor
#endfor
        }
#endfor
#endfor
      }
#endfor
    }
#for p in 0..$perThread
#if q8
    let units$p = key_units(first, place$p);
#endif
    let counts$p = at + $p * PAGE_THREADS >= begin && at + $p * PAGE_THREADS < end;
#for s in 0..$sets
#if q8
#for w in 0..$width
    score$p$s[$w] = of_bytes(score$p$s[$w], query_sums[$s * WIDTH + $w], units$p);
#endfor
#endif
    score$p$s = select(Heads(LOWEST), score$p$s * SCALE, counts$p);
    scores[(at + $p * PAGE_THREADS) * SETS + $s] = score$p$s;
    most$s = max(most$s, score$p$s);
#endfor
#endfor
  }

  // the largest of each head
#for s in 0..$sets
  parts[thread * SETS + $s] = most$s;
#endfor
  workgroupBarrier();
  if thread < 8u * SETS {
    var most = parts[thread];
    for (var i = 1u; i < 8u; i++) {
      most = max(most, parts[thread + i * 8u * SETS]);
    }
    parts[thread] = most;
  }
  workgroupBarrier();
#for s in 0..$sets
  most$s = parts[$s];
  for (var i = 1u; i < 8u; i++) {
    most$s = max(most$s, parts[i * SETS + $s]);
  }
  var weight_sum$s = Heads();
#endfor
  workgroupBarrier();

  // weights
  for (var at = begin + thread; at < end; at += 64u) {
#if q8
    let first = block_of(row.slot, split_first + at, kv_head) * BLOCK_UNITS;
    let scale = value_scale(first, at % PAGE_POSITIONS);
#else
    let scale = 1.0;
#endif
#for s in 0..$sets
    let weight$s = exp2(scores[at * SETS + $s] - most$s);
    weight_sum$s += weight$s;
    scores[at * SETS + $s] = weight$s * scale;
#endfor
  }
#for s in 0..$sets
  parts[thread * SETS + $s] = weight_sum$s;
#endfor
  workgroupBarrier();
  if thread < 8u * SETS {
    var sum = parts[thread];
    for (var i = 1u; i < 8u; i++) {
      sum += parts[thread + i * 8u * SETS];
    }
    parts[thread] = sum;
  }
  workgroupBarrier();
  if thread == 0u {
#for s in 0..$sets
    weight_sum$s = parts[$s];
    for (var i = 1u; i < 8u; i++) {
      weight_sum$s += parts[i * SETS + $s];
    }
#for w in 0..$width
    if $s * WIDTH + $w < heads {
      let partial = partial_of(group, first_head + $s * WIDTH + $w) + $headSize;
      partials[partial] = most$s[$w];
      partials[partial + 1u] = weight_sum$s[$w];
    }
#endfor
#endfor
  }

  // outputs: this thread's dimensions, of every LANES-th position
  let lane = thread / DIM_GROUPS;
  let dim_group = thread % DIM_GROUPS;
#for s in 0..$sets
  var sum$s = array<Heads, DIMS>();
#if q8
  var offset$s = Heads(); // what OFFSET adds to each of them
#endif
#endfor
  for (var p = 0u; p < split_pages; p++) {
    let page_end = select(0u, min(end, (p + 1u) * PAGE_POSITIONS), lane < LANES);
    let first = block_of(row.slot, split_first + p * PAGE_POSITIONS, kv_head) * BLOCK_UNITS * VALUE_UNITS;
    var at = max(begin, p * PAGE_POSITIONS) + lane;
    var unit = first + at % PAGE_POSITIONS * DIM_GROUPS + dim_group;
    // counted, so that Tint adds no counter of its own against loops without end
    for (var i = 0u; i < (PAGE_POSITIONS + LANES - 1u) / LANES; i++) {
      if at >= page_end {
        break;
      }
      let v = value_numbers(values[unit]);
#for s in 0..$sets
      let weight$s = scores[at * SETS + $s];
#for d in 0..$valueDims
      sum$s[$d] = fma(weight$s, Heads(v[$d / 4u][$d % 4u]), sum$s[$d]);
#endfor
#if q8
      offset$s += weight$s;
#endif
#endfor
      at += LANES;
      unit += LANES * DIM_GROUPS;
    }
  }

  // over the lanes: four dimensions of each thread at a time, [lane][dimension][group of dimensions]
#for s in 0..$sets
#for r in 0..$valueQuads
  workgroupBarrier();
  if lane < LANES {
#for c in 0..4
#if q8
    scores[(lane * 4u + $c) * DIM_GROUPS + dim_group] = fma(Heads(-OFFSET), offset$s, sum$s[$r * 4 + $c]);
#else
    scores[(lane * 4u + $c) * DIM_GROUPS + dim_group] = sum$s[$r * 4 + $c];
#endif
#endfor
  }
  workgroupBarrier();
  for (var i = thread; i < 4u * DIM_GROUPS; i += 64u) {
    var total = scores[i];
    for (var l = 1u; l < LANES; l++) {
      total += scores[l * 4u * DIM_GROUPS + i];
    }
    let d = i % DIM_GROUPS * DIMS + $r * 4u + i / DIM_GROUPS;
#for w in 0..$width
    if d < $headSize && $s * WIDTH + $w < heads {
      partials[partial_of(group, first_head + $s * WIDTH + $w) + d] = total[$w];
    }
#endfor
  }
#endfor
#endfor
}
