// hidden[b][n] += product (+ bias[n]); with `next` also the row that the next norm's product reads (parts/row): what hidden
// then is, times the norm's weight and the power of two that comes with x, with its squares. Columns of padding become
// zero.
// Grid: x covers shape.padded_rows, $outputs a workgroup, a multiple of 8; shape.y_stride is a row of hidden.
#if next
#import parts/row_write
#endif

const PAIRS: u32 = OUTPUTS / 2u;

@group(0) @binding($hiddenBinding) var<storage, read_write> hidden: array<vec2f>;
#if next
@group(0) @binding($outputBinding) var<storage, read_write> output: array<u32>;
@group(0) @binding($normBinding) var<storage, read> norm: array<f32>;
#endif
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

fn weight_row(workgroup: vec3u, output: u32) -> u32 {
  return shape.plane_row + min(workgroup.x * OUTPUTS + output, shape.rows - 1u);
}

// Output n of this part for row b: what hidden becomes.
fn value_of(b: u32, n: u32, before: f32) -> f32 {
  if n >= shape.rows {
    return 0.0;
  }
  var value = outputs[b * OUTPUTS + n % OUTPUTS];
#if bias
  value += bias[shape.bias_row + n];
#endif
  return value + before;
}

#if next
var<workgroup> pair_sums: array<f32, BATCH * PAIRS>;
var<workgroup> pair_squares: array<vec2f, BATCH * PAIRS>;

fn input_scale(b: u32) -> f32 {
  return bitcast<f32>(x[b * row_vectors(row_units()) + row_scale(row_units())].x);
}

// Two values of hidden times the norm's weights; the zeros of padding stay zeros.
fn weighted(value: vec2f, n: u32) -> vec2f {
  let last = shape.rows - 1u;
  return value * vec2f(norm[shape.row_start + min(n, last)], norm[shape.row_start + min(n + 1u, last)]);
}
#endif

fn finish(workgroup: vec3u, thread: u32) {
  let units = shape.y_stride / 32u;
  for (var i = thread; i < BATCH * PAIRS; i += THREADS) {
    let b = i / PAIRS;
    let n = workgroup.x * OUTPUTS + i % PAIRS * 2u;
    let pair = (shape.row_start + n) / 2u;
    let at = b * (shape.y_stride / 2u) + pair;
    let before = hidden[at];
    let value = vec2f(value_of(b, n, before.x), value_of(b, n + 1u, before.y));
    hidden[at] = value;
#if next
    let kept = stored(weighted(value, n) * input_scale(b));
    write_pair(b * row_words(units), pair, kept);
    pair_sums[i] = kept.x + kept.y;
    pair_squares[i] = value * value;
#endif
  }
#if next
  workgroupBarrier();
  for (var i = thread; i < BATCH * OUTPUTS / 8u; i += THREADS) {
    let row = i / (OUTPUTS / 8u) * row_words(units);
    let eight = (shape.row_start + workgroup.x * OUTPUTS) / 8u + i % (OUTPUTS / 8u);
    let at = i * 4u;
    write_sum(row, units, eight, across(vec4f(
      pair_sums[at], pair_sums[at + 1u], pair_sums[at + 2u], pair_sums[at + 3u])));
    write_squares(row, units, eight, sum_of_squares(array(
      pair_squares[at], pair_squares[at + 1u], pair_squares[at + 2u], pair_squares[at + 3u])));
  }
  if shape.row_start + workgroup.x == 0u && thread < BATCH {
    write_scale(thread * row_words(units), units, input_scale(thread));
  }
#endif
}
