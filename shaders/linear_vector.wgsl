// y[b][n] = (accumulate: y[b][n]) + (bias: bias[n]) + sum over k of W[n][k] * x[b][k], for 1, 2 or 4 rows b at once: each
// weight is unpacked once for all of them. n runs over the rows of one part of W, from $rowStart on in y and bias; columns
// of y between the tensor's rows and the padding's end become zero.
// 64 threads: $groups groups of $lanes threads, each group for 4 rows of W; a thread takes every $lanes-th unit of 32
// weights, then the partial sums are joined by eights. The order of a sum does not depend on the rows b that share it.
// Grid: x covers $paddedRows rows of W, 4 * $groups a workgroup.
#import parts/linear

alias Sums = array<vec4f, $batch>;
alias Inputs = array<array<S4, 8>, $batch>;

const BATCH: u32 = $batch;
const LANES: u32 = $lanes;
const GROUPS: u32 = $groups;

// [row of W in the group * BATCH + b][group][lane], then the same with lanes joined by eights
var<workgroup> partial: array<f32, 256 * BATCH>;
var<workgroup> eights: array<f32, 32 * BATCH>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let group = workgroup.x * GROUPS + thread / LANES;
  let row0 = min(group * 4u, ROWS - 1u);
  let row1 = min(group * 4u + 1u, ROWS - 1u);
  let row2 = min(group * 4u + 2u, ROWS - 1u);
  let row3 = min(group * 4u + 3u, ROWS - 1u);
  var sums0 = Sums();
  var sums1 = Sums();
  var sums2 = Sums();
  var sums3 = Sums();
  for (var unit = lane; unit < UNITS; unit += LANES) {
    let inputs = load_inputs(unit);
    sums0 = add_products(sums0, load_unit(row0, unit), inputs);
    sums1 = add_products(sums1, load_unit(row1, unit), inputs);
    sums2 = add_products(sums2, load_unit(row2, unit), inputs);
    sums3 = add_products(sums3, load_unit(row3, unit), inputs);
  }
  for (var b = 0u; b < BATCH; b++) {
    partial[b * 64u + thread] = across(sums0[b]);
    partial[(BATCH + b) * 64u + thread] = across(sums1[b]);
    partial[(2u * BATCH + b) * 64u + thread] = across(sums2[b]);
    partial[(3u * BATCH + b) * 64u + thread] = across(sums3[b]);
  }
  workgroupBarrier();
  for (var i = thread; i < 32u * BATCH; i += 64u) {
    var sum = 0.0;
    for (var j = 0u; j < 8u; j++) {
      sum += partial[i * 8u + j];
    }
    eights[i] = sum;
  }
  workgroupBarrier();
  for (var i = thread; i < 4u * BATCH * GROUPS; i += 64u) {
    var sum = 0.0;
    for (var j = 0u; j < LANES / 8u; j++) {
      sum += eights[i * (LANES / 8u) + j];
    }
    let output = i / GROUPS;
    let row = (workgroup.x * GROUPS + i % GROUPS) * 4u + output / BATCH;
    write(output % BATCH, row, sum);
  }
}

fn load_inputs(unit: u32) -> Inputs {
#if batch == 1
  return Inputs(load_input(0u, unit));
#endif
#if batch == 2
  return Inputs(load_input(0u, unit), load_input(1u, unit));
#endif
#if batch == 4
  return Inputs(load_input(0u, unit), load_input(1u, unit), load_input(2u, unit), load_input(3u, unit));
#endif
}

fn load_input(b: u32, unit: u32) -> array<S4, 8> {
  let at = (b * UNITS + unit) * 8u;
  return array<S4, 8>(x[at], x[at + 1u], x[at + 2u], x[at + 3u], x[at + 4u], x[at + 5u], x[at + 6u], x[at + 7u]);
}

fn add_products(sums: Sums, w: array<vec4f, 8>, inputs: Inputs) -> Sums {
#if batch == 1
  return Sums(products(sums[0], w, inputs[0]));
#endif
#if batch == 2
  return Sums(products(sums[0], w, inputs[0]), products(sums[1], w, inputs[1]));
#endif
#if batch == 4
  return Sums(
    products(sums[0], w, inputs[0]),
    products(sums[1], w, inputs[1]),
    products(sums[2], w, inputs[2]),
    products(sums[3], w, inputs[3]),
  );
#endif
}

fn products(start: vec4f, w: array<vec4f, 8>, input: array<S4, 8>) -> vec4f {
  var sum = start;
  sum = fma(w[0], vec4f(input[0]), sum);
  sum = fma(w[1], vec4f(input[1]), sum);
  sum = fma(w[2], vec4f(input[2]), sum);
  sum = fma(w[3], vec4f(input[3]), sum);
  sum = fma(w[4], vec4f(input[4]), sum);
  sum = fma(w[5], vec4f(input[5]), sum);
  sum = fma(w[6], vec4f(input[6]), sum);
  return fma(w[7], vec4f(input[7]), sum);
}

fn across(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
