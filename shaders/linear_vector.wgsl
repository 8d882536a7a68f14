// y[b][n] = (accumulate: y[b][n]) + (bias: bias[n]) + sum over k of W[n][k] * x[b][k], for 1, 2 or 4 rows b at once: each
// weight is unpacked once for all of them. n runs over the rows of one part of W; padding columns of y become zero.
// 64 threads: two groups of 32 lanes, each group for 4 rows of W; a lane takes every 32nd eight of columns, then the
// partial sums are joined by eights. The order of a sum does not depend on the rows b that share it.
// Grid: x covers shape.padded_rows, 8 a workgroup.
#import parts/linear

alias Sums = array<vec4f, $batch>;
alias Inputs = array<array<S4, 2>, $batch>;

const BATCH: u32 = $batch;
const LANES = 32u;
const GROUPS = 2u;

// [row of W in its group of 4][b][group][lane], then the same with lanes joined by eights
var<workgroup> partial: array<f32, 4u * BATCH * GROUPS * LANES>;
var<workgroup> eights: array<f32, 4u * BATCH * GROUPS * LANES / 8u>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let lane = thread % LANES;
  let row = (workgroup.x * GROUPS + thread / LANES) * 4u;
  let rows = shape.plane_row + min(vec4(row) + vec4(0u, 1u, 2u, 3u), vec4(shape.rows - 1u));
  var sums0 = Sums();
  var sums1 = Sums();
  var sums2 = Sums();
  var sums3 = Sums();
  for (var i = lane; i < shape.units * 4u; i += LANES) {
    let inputs = load_inputs(i);
    sums0 = add_products(sums0, load_eight(rows.x, i / 4u, i % 4u), inputs);
    sums1 = add_products(sums1, load_eight(rows.y, i / 4u, i % 4u), inputs);
    sums2 = add_products(sums2, load_eight(rows.z, i / 4u, i % 4u), inputs);
    sums3 = add_products(sums3, load_eight(rows.w, i / 4u, i % 4u), inputs);
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
  if thread < 8u * BATCH {
    let at = thread * 4u;
    let sum = (eights[at] + eights[at + 1u]) + (eights[at + 2u] + eights[at + 3u]);
    let output = thread / GROUPS;
    let group = workgroup.x * GROUPS + thread % GROUPS;
    write(output % BATCH, group * 4u + output / BATCH, sum);
  }
}

fn load_inputs(i: u32) -> Inputs {
#if batch == 1
  return Inputs(load_input(0u, i));
#endif
#if batch == 2
  return Inputs(load_input(0u, i), load_input(1u, i));
#endif
#if batch == 4
  return Inputs(load_input(0u, i), load_input(1u, i), load_input(2u, i), load_input(3u, i));
#endif
}

fn load_input(b: u32, i: u32) -> array<S4, 2> {
  let at = b * x_stride4() + i * 2u;
  return array<S4, 2>(x[at], x[at + 1u]);
}

fn add_products(sums: Sums, w: array<vec4f, 2>, inputs: Inputs) -> Sums {
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

fn products(sum: vec4f, w: array<vec4f, 2>, input: array<S4, 2>) -> vec4f {
  return fma(w[1], vec4f(input[1]), fma(w[0], vec4f(input[0]), sum));
}

fn across(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}
