// Rows of activations (parts/row) from f32 rows of `cols` hidden values, rms = sqrt(mean of their squares + eps):
//   normed   output[row] = input[row] / rms * weight
//   entered  output[row] = input[row] * weight * s, s a power of two, with the squares: what reads it divides by rms and s
// Padding columns become zero. With `gather`, output row i is input row step.logit_row[i]; rows from step.logit_rows on
// become zero.
// Grid: one workgroup a row of the output.
#import parts/row_write
#import parts/workgroup_sum
#if gather
#import parts/step
#endif

const COLUMNS: u32 = $cols;
const UNITS: u32 = (COLUMNS + 31u) / 32u;
const EIGHTS: u32 = UNITS * 4u;
const THREADS: u32 = $threads;

@group(0) @binding(0) var<storage, read> input: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;
#if gather
@group(0) @binding(3) var<storage, read> step: Step;
#endif

var<workgroup> eights: array<array<vec2f, 4>, THREADS>; // squares

// Four weights, zero beyond the last.
fn weight4(column: u32) -> vec4f {
  let last = COLUMNS - 1u;
  let four = vec4f(
    weight[min(column, last)], weight[min(column + 1u, last)], weight[min(column + 2u, last)], weight[min(column + 3u, last)]);
  return select(vec4f(), four, vec4u(column) + vec4u(0u, 1u, 2u, 3u) < vec4u(COLUMNS));
}

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.x * row_words(UNITS);
#if gather
  if group.x >= step.logit_rows {
    for (var i = thread; i < row_words(UNITS); i += THREADS) {
      output[row + i] = 0u;
    }
    return;
  }
  let first = step.logit_row[group.x] * EIGHTS * 2u;
#else
  let first = group.x * EIGHTS * 2u;
#endif
  var squares = 0.0;
  for (var start = 0u; start < EIGHTS; start += THREADS) {
    let eight = start + thread;
    if eight < EIGHTS {
      let low = input[first + eight * 2u]; // padding columns are zero
      let high = input[first + eight * 2u + 1u];
      eights[thread] = array(low.xy * low.xy, low.zw * low.zw, high.xy * high.xy, high.zw * high.zw);
    }
    workgroupBarrier();
    if eight < EIGHTS {
      let sum = sum_of_squares(eights[thread]);
      squares += sum;
#if form == entered
      write_squares(row, UNITS, eight, sum);
#endif
    }
  }
  let inverse_rms = 1.0 / sqrt(workgroup_sum(squares, thread) / f32(COLUMNS) + $eps);
#if form == entered
  let scale = power_of(inverse_rms);
#else
  let scale = inverse_rms;
#endif
  for (var eight = thread; eight < EIGHTS; eight += THREADS) {
    let low = input[first + eight * 2u] * weight4(eight * 8u) * scale;
    let high = input[first + eight * 2u + 1u] * weight4(eight * 8u + 4u) * scale;
    write_eight(row, UNITS, eight, low, high);
  }
  if thread == 0u {
#if form == entered
    write_scale(row, UNITS, scale);
#else
    write_scale(row, UNITS, 1.0);
#endif
  }
}
