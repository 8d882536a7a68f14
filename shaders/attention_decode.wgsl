// Attention of single rows: for each row and each block of query heads that share a KV head,
//   sum over positions j of 2^(s_j - m) v_j,  s_j = scale log2(e) q.k_j,  m the largest,  l the sum of the powers,
// over one split of the row's positions. Keys and values are loaded once for all heads of the block.
// q: [row][head][headSize], rows `stride` apart. partials: [row][head][split] of headSize sums, then m, l, two unused.
// attention_merge.wgsl joins the splits.
// Grid: x is KV head and block of its query heads, y the row, z the split. 64 threads. A chunk of as many pages as a
// thread has positions (perThread) is computed at once: first each thread has positions, for whose scores it needs no
// other, then a group of dimensions (valueDims), of every LANES-th position.
#import parts/splits
#import parts/kv_units

const HEAD4: u32 = $headSize / 4u;
const HEADS: u32 = $heads;
const GROUP: u32 = $heads / KV_HEADS; // query heads of a KV head
const BLOCK: u32 = $block;            // query heads of a workgroup, at most 8
const BLOCKS: u32 = (GROUP + BLOCK - 1u) / BLOCK;
const WIDTH: u32 = $width;            // heads of a vector; SETS vectors for all heads of the block
const SETS: u32 = $sets;
const PER_THREAD: u32 = $perThread;
const PAGE_THREADS: u32 = 64u / PER_THREAD;
const DIMS: u32 = $valueDims;
const DIM_GROUPS: u32 = KEPT_DIMS / DIMS;
const LANES: u32 = 64u / DIM_GROUPS;
const VALUE_UNITS: u32 = UNIT_DIMS / DIMS; // in 16 bytes of values
const PARTIAL: u32 = $headSize + 4u;
const EXCHANGE: u32 = max(PER_THREAD * 64u * SETS, 256u);
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

var<workgroup> queries: array<Word4, WIDTH * SETS * KEPT_DIMS / 4u / WORD_QUADS>; // [head][16 bytes]
var<workgroup> exchange: array<Heads, EXCHANGE>; // maxima, then weights [position of the chunk][set], then outputs
var<workgroup> parts: array<Heads, 8u * SETS>;
#if q8
var<workgroup> query_offsets: array<f32, WIDTH * SETS>; // what OFFSET adds to the scores of each head
#endif

fn query_quad(first: u32, head: u32, quad: u32, heads: u32) -> S4 {
  if head >= heads || quad >= HEAD4 {
    return S4();
  }
  return q[first + head * HEAD4 + quad];
}

fn query_numbers(at: u32) -> array<vec4f, UNIT_QUADS> {
#if f16
#if q8
  let a = queries[at * 2u];
  let b = queries[at * 2u + 1u];
  return array(quad(a.x, a.y), quad(a.z, a.w), quad(b.x, b.y), quad(b.z, b.w));
#else
  return key_numbers(queries[at]);
#endif
#else
#if q8
  return array(queries[at * 4u], queries[at * 4u + 1u], queries[at * 4u + 2u], queries[at * 4u + 3u]);
#else
  return array(queries[at]);
#endif
#endif
}

#if q8
/// The scale of a position's value, whose block's scales begin after so many units of 16 bytes.
fn value_scale(scales: u32, position: u32) -> f32 {
#if valueDims == 8
  return bitcast<f32>(values[scales * 2u + position / 2u][position % 2u]);
#else
  return bitcast<f32>(values[scales * 4u + position]);
#endif
}
#endif

fn multiply_add(a: vec4f, b: vec4f, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
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
  let end_page = min(first_page + span.split_pages, span.pages);
  let kv_head = group.x / BLOCKS;
  let first_head = kv_head * GROUP + group.x % BLOCKS * BLOCK;
  let heads = min(BLOCK, (kv_head + 1u) * GROUP - first_head);

  let q_first = group.y * ($stride / 4u) + first_head * HEAD4;
  for (var i = thread; i < WIDTH * SETS * KEPT_DIMS / 4u / WORD_QUADS; i += 64u) {
    let head = i / (KEPT_DIMS / 4u / WORD_QUADS);
    let first = i % (KEPT_DIMS / 4u / WORD_QUADS) * WORD_QUADS;
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
    var sum = 0.0;
    for (var u = 0u; u < HEAD_UNITS; u++) {
      let x = query_numbers(thread * HEAD_UNITS + u);
      sum += dot(x[0] + x[1] + x[2] + x[3], vec4f(1.0));
    }
    query_offsets[thread] = sum * OFFSET;
  }
  workgroupBarrier();
#endif

  let lane = thread / DIM_GROUPS;
  let dim_group = thread % DIM_GROUPS;
#for s in 0..$sets
  var largest$s = Heads(LOWEST);
  var weight_sum$s = Heads(); // of this thread's positions
  var sum$s = array<Heads, DIMS>(); // of this thread's lane and dimensions
#if q8
  var offset$s = Heads(); // what OFFSET adds to each of the sums
#endif
#endfor

  for (var chunk = first_page; chunk < end_page; chunk += PER_THREAD) {
    // scores of this thread's positions: of one page, PAGE_THREADS apart
    let page = chunk + thread / PAGE_THREADS;
    let page_first = (span.page + page) * PAGE_POSITIONS;
    let position = page_first + thread % PAGE_THREADS;
    let end = select(0u, row.position + 1u, page < end_page);
#for p in 0..$perThread
#for s in 0..$sets
    var score$p$s = Heads();
#if q8
#for w in 0..$width
    score$p$s[$w] = -query_offsets[$s * WIDTH + $w];
#endfor
#endif
#endfor
#if q8
    var value_scale$p = 0.0;
#endif
#endfor
    if position < end && position + (PER_THREAD - 1u) * PAGE_THREADS >= span.first {
      let first = block_of(row.slot, page_first, kv_head) * BLOCK_UNITS;
      // what lies beyond the row's position was never written: the last that was is loaded instead
#for p in 0..$perThread
      let place$p = min(position + $p * PAGE_THREADS, row.position) - page_first;
      let key$p = first + place$p;
#endfor
      for (var u = 0u; u < HEAD_UNITS; u++) {
#for p in 0..$perThread
        let k$p = key_numbers(keys[key$p + u * PAGE_POSITIONS]);
#endfor
#for s in 0..$sets
#for w in 0..$width
        {
          let x = query_numbers(($s * WIDTH + $w) * HEAD_UNITS + u);
#for p in 0..$perThread
#for c in 0..$unitQuads
          score$p$s[$w] = multiply_add(x[$c], k$p[$c], score$p$s[$w]);
#endfor
#endfor
        }
#endfor
#endfor
      }
#if q8
      let scales = first + HEAD_UNITS * PAGE_POSITIONS;
#for p in 0..$perThread
      let key_scale$p = bitcast<f32>(keys[scales + place$p / 4u][place$p % 4u]);
#for s in 0..$sets
      score$p$s = score$p$s * key_scale$p;
#endfor
      value_scale$p = value_scale(scales, place$p);
#endfor
#endif
    }
#for p in 0..$perThread
    let counts$p = position + $p * PAGE_THREADS >= span.first && position + $p * PAGE_THREADS < end;
#for s in 0..$sets
    score$p$s = select(Heads(LOWEST), score$p$s * SCALE, counts$p);
#endfor
#endfor

    // the largest score of each head so far
#for s in 0..$sets
    var most$s = largest$s;
#for p in 0..$perThread
    most$s = max(most$s, score$p$s);
#endfor
    exchange[thread * SETS + $s] = most$s;
#endfor
    workgroupBarrier();
    if thread < 8u * SETS {
      var most = exchange[thread];
      for (var i = 1u; i < 8u; i++) {
        most = max(most, exchange[thread + i * 8u * SETS]);
      }
      parts[thread] = most;
    }
    workgroupBarrier();
#for s in 0..$sets
    most$s = parts[$s];
    for (var i = 1u; i < 8u; i++) {
      most$s = max(most$s, parts[i * SETS + $s]);
    }
    let rescale$s = exp2(largest$s - most$s);
    largest$s = most$s;
    weight_sum$s *= rescale$s;
#for d in 0..$valueDims
    sum$s[$d] *= rescale$s;
#endfor
#if q8
    offset$s *= rescale$s;
#endif

    // weights of this thread's positions
#for p in 0..$perThread
    {
      let weight = exp2(score$p$s - most$s);
      weight_sum$s += weight;
      let in_chunk = thread / PAGE_THREADS * PAGE_POSITIONS + $p * PAGE_THREADS + thread % PAGE_THREADS;
#if q8
      exchange[in_chunk * SETS + $s] = weight * value_scale$p;
#else
      exchange[in_chunk * SETS + $s] = weight;
#endif
    }
#endfor
#endfor
    workgroupBarrier();

    // this thread's dimensions, of every LANES-th position
    for (var p = 0u; p < min(PER_THREAD, end_page - chunk); p++) {
      let begin = (span.page + chunk + p) * PAGE_POSITIONS;
      let from_ = max(span.first, begin) - begin;
      let to = min(row.position + 1u - begin, PAGE_POSITIONS);
      let first = block_of(row.slot, begin, kv_head) * BLOCK_UNITS * VALUE_UNITS + dim_group;
      for (var i = from_ + lane; lane < LANES && i < to; i += LANES) {
        let v = value_numbers(values[first + i * DIM_GROUPS]);
#for s in 0..$sets
        let weight$s = exchange[(p * PAGE_POSITIONS + i) * SETS + $s];
#for d in 0..$valueDims
        sum$s[$d] = fma(weight$s, Heads(v[$d / 4u][$d % 4u]), sum$s[$d]);
#endfor
#if q8
        offset$s += weight$s;
#endif
#endfor
      }
    }
    workgroupBarrier();
  }

  // outputs: four dimensions of each thread at a time, summed over the lanes
#for s in 0..$sets
#for r in 0..$valueQuads
#for c in 0..4
  if lane < LANES {
#if q8
    exchange[(lane * 4u + $c) * DIM_GROUPS + dim_group] = fma(Heads(-OFFSET), offset$s, sum$s[$r * 4 + $c]);
#else
    exchange[(lane * 4u + $c) * DIM_GROUPS + dim_group] = sum$s[$r * 4 + $c];
#endif
  }
#endfor
  workgroupBarrier();
  for (var i = thread; i < 4u * DIM_GROUPS; i += 64u) {
    var total = exchange[i];
    for (var l = 1u; l < LANES; l++) {
      total += exchange[l * 4u * DIM_GROUPS + i];
    }
    let d = i % DIM_GROUPS * DIMS + $r * 4u + i / DIM_GROUPS;
#for w in 0..$width
    if d < $headSize && $s * WIDTH + $w < heads {
      partials[partial_of(group, first_head + $s * WIDTH + $w) + d] = total[$w];
    }
#endfor
  }
  workgroupBarrier();
#endfor
#endfor
#for s in 0..$sets
  exchange[thread * SETS + $s] = weight_sum$s;
#endfor
  workgroupBarrier();
  if thread < 8u * SETS {
    var total = exchange[thread];
    for (var i = 1u; i < 8u; i++) {
      total += exchange[thread + i * 8u * SETS];
    }
    parts[thread] = total;
  }
  workgroupBarrier();
  if thread == 0u {
#for s in 0..$sets
    var total$s = parts[$s];
    for (var i = 1u; i < 8u; i++) {
      total$s += parts[i * SETS + $s];
    }
#for w in 0..$width
    if $s * WIDTH + $w < heads {
      let partial = partial_of(group, first_head + $s * WIDTH + $w) + $headSize;
      partials[partial] = largest$s[$w];
      partials[partial + 1u] = total$s[$w];
    }
#endfor
#endfor
  }
}

fn partial_of(group: vec3u, head: u32) -> u32 {
  return ((group.y * HEADS + head) * SPLITS + group.z) * PARTIAL;
}
