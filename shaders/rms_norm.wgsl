// output[row] = input[row] / sqrt(mean(input[row]^2) + eps) * weight, over `cols` columns; padding columns become zero.
// With `gather`, output row i is input row step.logit_row[i]; rows from step.logit_rows on become zero.
// Grid: one workgroup a row of the output.
#import parts/store
#import parts/workgroup_sum
#if gather
#import parts/step
#endif

const COLUMNS: u32 = $cols;
const STRIDE4: u32 = $stride / 4u;
const THREADS: u32 = $threads;

@group(0) @binding(0) var<storage, read> input: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<S4>;
#if gather
@group(0) @binding(3) var<storage, read> step: Step;
#endif

fn weight4(column: u32) -> vec4f {
  let last = COLUMNS - 1u;
  return vec4f(
    weight[column], weight[min(column + 1u, last)], weight[min(column + 2u, last)], weight[min(column + 3u, last)]);
}

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = group.x;
#if gather
  if row >= step.logit_rows {
    for (var i = thread; i < STRIDE4; i += THREADS) {
      output[row * STRIDE4 + i] = S4();
    }
    return;
  }
  let first = step.logit_row[row] * STRIDE4;
#else
  let first = row * STRIDE4;
#endif
  var squares = 0.0;
  for (var i = thread; i < STRIDE4; i += THREADS) {
    if i * 4u < COLUMNS {
      let x = input[first + i];
      squares += dot(x, x); // columns of padding are zero
    }
  }
  let scale = 1.0 / sqrt(workgroup_sum(squares, thread) / f32(COLUMNS) + $eps);
  for (var i = thread; i < STRIDE4; i += THREADS) {
    let column = i * 4u;
    var value = vec4f();
    if column < COLUMNS {
      let inside = vec4u(column) + vec4u(0u, 1u, 2u, 3u) < vec4u(COLUMNS);
      value = select(vec4f(), input[first + i] * scale * weight4(column), inside);
    }
    output[row * STRIDE4 + i] = store4(value);
  }
}
