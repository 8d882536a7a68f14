// Queries, keys and values: the product with their joined rows, divided by the root mean square of x (parts/rms_scalars), plus
// the bias; queries and keys then normed a head (with headNorm) and turned by their position (the first rotaryDims
// dimensions). Queries go to the row q (parts/row), keys and values to the pages of the row's slot (parts/key_value).
// The joined rows are $queryHeads heads of queries, then $keyHeads of keys, then those of values; some may be absent.
// A workgroup makes a whole head where something must see all of it (headNorm, scales of 8 bits): outputs are its
// dimensions in order. Else it makes eight dimensions of a head, and with pairing `halves` these are four and, where
// they turn, the four that turn with them.
// Grid: x covers shape.rows, $outputs a workgroup.
#if queries
#import parts/row_write
#endif
#import parts/rms_scalars
#import parts/page_sizes
#if paged
#import parts/key_value
#endif
#import parts/step_row

const HEAD_SIZE: u32 = $headSize;
const ROTARY_PAIRS: u32 = $rotaryDims / 2u;
const QUERY_HEADS: u32 = $queryHeads;
const KEY_HEADS: u32 = $keyHeads;
const QUERY_UNITS: u32 = (QUERY_HEADS * HEAD_SIZE + 31u) / 32u;
const PAIRS: u32 = OUTPUTS / 2u;
const QUADS: u32 = OUTPUTS / 4u;
#if wholeHead
#if paged
const STORED_QUADS: u32 = KEPT_DIMS / 4u; // a head may be kept longer than it is
#else
const STORED_QUADS: u32 = QUADS;
#endif
#else
const STORED_QUADS: u32 = QUADS;
#endif

struct Rows {
  rows: u32,
  logit_rows: u32,
  reserved0: u32,
  reserved1: u32,
  row: array<Row, BATCH>,
}

@group(0) @binding($stepBinding) var<uniform> step: Rows;
#if queries
@group(0) @binding($queryBinding) var<storage, read_write> output: array<u32>;
#endif
#if turning
@group(0) @binding($ropeBinding) var<storage, read> rope: array<vec2f>;
#endif
#if paged
@group(0) @binding($pagesBinding) var<storage, read> pages: array<u32>;
#endif
#if keys
@group(0) @binding($keysBinding) var<storage, read_write> key_pages: array<Quad>;
#endif
#if values
@group(0) @binding($valuesBinding) var<storage, read_write> value_pages: array<Quad>;
#endif
#if bias
@group(0) @binding($biasBinding) var<uniform> bias: array<vec4f, $biasQuads>; // of all queries, then keys, then values
#endif
#if headNorm
#if queries
@group(0) @binding($queryNormBinding) var<uniform> query_norm: array<vec4f, $headQuads>;
#endif
#if keys
@group(0) @binding($keyNormBinding) var<uniform> key_norm: array<vec4f, $headQuads>;
#endif
#endif

const QUERIES = 0u;
const KEYS = 1u;
const VALUES = 2u;

// What a workgroup computes: a head, the how-manieth of its kind, and which part of it.
struct Head {
  kind: u32,
  index: u32,
  part: u32,
}

fn head_of(workgroup: vec3u) -> Head {
  let row = shape.row_start + workgroup.x * OUTPUTS;
  let head = row / HEAD_SIZE;
  let part = row % HEAD_SIZE / OUTPUTS;
  if head < QUERY_HEADS {
    return Head(QUERIES, head, part);
  }
  if head < QUERY_HEADS + KEY_HEADS {
    return Head(KEYS, head - QUERY_HEADS, part);
  }
  return Head(VALUES, head - QUERY_HEADS - KEY_HEADS, part);
}

// Whether the workgroup's outputs are four dimensions and the four that turn with them.
fn is_folded(head: Head) -> bool {
#if wholeHead
  return false;
#else
#if pairing == halves
  return head.kind != VALUES && head.part < ROTARY_PAIRS / 4u;
#else
  return false;
#endif
#endif
}

// Of the head, that an output is.
fn dimension_of(head: Head, output: u32) -> u32 {
  if is_folded(head) {
    return output / 4u * ROTARY_PAIRS + head.part * 4u + output % 4u;
  }
  return head.part * OUTPUTS + output;
}

fn weight_row(workgroup: vec3u, output: u32) -> u32 {
  return shape.plane_row + workgroup.x * OUTPUTS / HEAD_SIZE * HEAD_SIZE + dimension_of(head_of(workgroup), output);
}

// Two outputs, and which pair of dimensions they are; ROTARY_PAIRS for two that do not turn.
struct Pair {
  first: u32,
  second: u32,
  turn: u32,
}

fn turning_pair(head: Head, pair: u32) -> Pair {
  var turn = ROTARY_PAIRS;
#if pairing == halves
#if wholeHead
  if head.kind != VALUES && pair < ROTARY_PAIRS {
    return Pair(pair, pair + ROTARY_PAIRS, pair);
  }
#else
  if is_folded(head) {
    return Pair(pair, pair + 4u, head.part * 4u + pair);
  }
#endif
#else
  if head.kind != VALUES {
    turn = min(head.part * PAIRS + pair, ROTARY_PAIRS);
  }
#endif
  return Pair(pair * 2u, pair * 2u + 1u, turn);
}

// An output of row b with its bias.
fn value_of(b: u32, head: Head, output: u32) -> f32 {
  var value = outputs[b * OUTPUTS + output] * scalars[b].x;
#if bias
  let first = select(head.index, head.index + $heads + (head.kind - KEYS) * KV_HEADS, head.kind != QUERIES) * HEAD_SIZE;
  let at = first + dimension_of(head, output);
  value += bias[at / 4u][at % 4u];
#endif
  return value;
}

#if wholeHead
// A sum over a head, or its least and largest: each of so many lanes takes every HEAD_LANES-th dimension.
const HEAD_LANES = 16u;
var<workgroup> head_lanes: array<vec2f, BATCH * HEAD_LANES>;
#endif

#if headNorm
// Puts bias and norm into the outputs, all but the dimensions' own weights. Every thread calls it.
fn norm_heads(head: Head, thread: u32) {
  for (var i = thread; i < BATCH * OUTPUTS; i += THREADS) {
    outputs[i] = value_of(i / OUTPUTS, head, i % OUTPUTS);
  }
  workgroupBarrier();
  for (var i = thread; i < BATCH * HEAD_LANES; i += THREADS) {
    var sum = 0.0;
    for (var d = i % HEAD_LANES; d < HEAD_SIZE; d += HEAD_LANES) {
      let value = outputs[i / HEAD_LANES * OUTPUTS + d];
      sum = fma(value, value, sum);
    }
    head_lanes[i].x = sum;
  }
  workgroupBarrier();
}

fn normed_of(b: u32, head: Head, output: u32) -> f32 {
  let value = outputs[b * OUTPUTS + output];
  if head.kind == VALUES {
    return value;
  }
  var squares = 0.0;
  for (var lane = 0u; lane < HEAD_LANES; lane++) {
    squares += head_lanes[b * HEAD_LANES + lane].x;
  }
  let scaled = value / sqrt(squares / f32(HEAD_SIZE) + $eps);
#if queries
  if head.kind == QUERIES {
    return scaled * query_norm[output / 4u][output % 4u];
  }
#endif
#if keys
  if head.kind == KEYS {
    return scaled * key_norm[output / 4u][output % 4u];
  }
#endif
  return value;
}
#endif

#if q8
// Finds the least and the largest of each row's head. Every thread calls it.
fn find_span(thread: u32) {
  for (var i = thread; i < BATCH * HEAD_LANES; i += THREADS) {
    var span = vec2f(1e30, -1e30);
    for (var d = i % HEAD_LANES; d < HEAD_SIZE; d += HEAD_LANES) {
      let value = outputs[i / HEAD_LANES * OUTPUTS + d];
      span = vec2f(min(span.x, value), max(span.y, value));
    }
    head_lanes[i] = span;
  }
  workgroupBarrier();
}

// The units that a head is kept in: keys have a middle, values have not.
fn kept_units(head: Head, b: u32) -> u32 {
  var span = head_lanes[b * HEAD_LANES];
  for (var lane = 1u; lane < HEAD_LANES; lane++) {
    let other = head_lanes[b * HEAD_LANES + lane];
    span = vec2f(min(span.x, other.x), max(span.y, other.y));
  }
  let largest = max(-span.x, span.y);
  return select(units_of(-largest, largest), units_of(span.x, span.y), head.kind == KEYS);
}
#endif

// Whether a row is one of a session, at a position that has a page.
fn is_kept(row: Row) -> bool {
  return row.slot != NO_SLOT && row.position < PAGES_PER_SLOT * PAGE_POSITIONS;
}

fn finish(workgroup: vec3u, thread: u32) {
  let head = head_of(workgroup);
  find_scalars(thread);
#if headNorm
  norm_heads(head, thread);
  workgroupBarrier();
#endif
  for (var i = thread; i < BATCH * PAIRS; i += THREADS) {
    let b = i / PAIRS;
    let pair = turning_pair(head, i % PAIRS);
#if headNorm
    var first = normed_of(b, head, pair.first);
    var second = normed_of(b, head, pair.second);
#else
    var first = value_of(b, head, pair.first);
    var second = value_of(b, head, pair.second);
#endif
#if turning
    if pair.turn < ROTARY_PAIRS && is_kept(step.row[b]) {
      let turn = rope[step.row[b].position * ROTARY_PAIRS + pair.turn];
      let turned = vec2f(first * turn.x - second * turn.y, first * turn.y + second * turn.x);
      first = turned.x;
      second = turned.y;
    }
#endif
    outputs[b * OUTPUTS + pair.first] = first;
    outputs[b * OUTPUTS + pair.second] = second;
  }
  workgroupBarrier();
#if q8
  find_span(thread);
#endif
  for (var i = thread; i < BATCH * STORED_QUADS; i += THREADS) {
    store_quad(head, i / STORED_QUADS, i % STORED_QUADS);
  }
#if queries
  if shape.row_start + workgroup.x == 0u && thread < BATCH {
    write_scale(thread * row_words(QUERY_UNITS), QUERY_UNITS, power_of(scalars[thread].y));
  }
#endif
}

// Four outputs to where they belong; zeros for those beyond the head, which pages may have.
fn store_quad(head: Head, b: u32, quad: u32) {
  let at = b * OUTPUTS + quad * 4u;
  var four = vec4f();
  if quad < QUADS {
    four = vec4f(outputs[at], outputs[at + 1u], outputs[at + 2u], outputs[at + 3u]);
  }
  let dimension = dimension_of(head, quad * 4u);
#if queries
  if head.kind == QUERIES {
    if quad < QUADS {
      let row = b * row_words(QUERY_UNITS);
      let pair = (head.index * HEAD_SIZE + dimension) / 2u;
      write_pair(row, pair, stored(four.xy));
      write_pair(row, pair + 1u, stored(four.zw));
    }
    return;
  }
#endif
#if paged
  let row = step.row[b];
  if !is_kept(row) {
    return;
  }
  let block = block_of(row.slot, row.position, head.index);
  let position = row.position % PAGE_POSITIONS;
#if q8
  let units = kept_units(head, b);
  four = in_units(four, units);
#endif
#if keys
  if head.kind == KEYS {
    key_pages[key_quad(block, position, dimension / 4u)] = pack_quad(four);
#if q8
    if quad == 0u {
      key_pages[scale_quad(block, position)] = units;
    }
#endif
  }
#endif
#if values
  if head.kind == VALUES {
    value_pages[value_quad(block, position, dimension / 4u)] = pack_quad(four);
#if q8
    if quad == 0u {
      value_pages[scale_quad(block, position)] = units;
    }
#endif
  }
#endif
#endif
}
