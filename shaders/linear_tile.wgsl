// y[b][n] = (accumulate: y[b][n]) + (bias: bias[n]) + sum over k of W[n][k] * x[b][k], a tile of $tile rows b by 64 rows n of
// W a workgroup. n runs over the rows of one part of W; padding columns of y become zero.
// A unit of 32 columns of x and W at a time is put in workgroup memory in the storage type, each weight unpacked once;
// a thread then makes 4 x 4 outputs, $tile / 4 rows and 16 columns apart, summed in f32. Rows of the tiles are 36
// columns apart, so that neighbours lie in different banks.
// Grid: x covers shape.padded_rows, 64 a workgroup; y covers the batch, $tile rows a workgroup, a whole number.
#import parts/linear

const TILE: u32 = $tile;
const THREADS = TILE * 4u;
const REACH = TILE / 4u;
const PITCH = 9u;

var<workgroup> inputs: array<S4, TILE * PITCH>;
var<workgroup> weights: array<S4, 64u * PITCH>;

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_b = workgroup.y * TILE;
  let first_n = workgroup.x * 64u;
  let b = thread / 16u;
  let n = thread % 16u;
  var sums0 = vec4f();
  var sums1 = vec4f();
  var sums2 = vec4f();
  var sums3 = vec4f();
  for (var unit = 0u; unit < shape.units; unit++) {
    for (var i = thread; i < TILE * 8u; i += THREADS) {
      inputs[i / 8u * PITCH + i % 8u] = x[(first_b + i / 8u) * x_stride4() + unit * 8u + i % 8u];
    }
    for (var i = thread; i < 256u; i += THREADS) {
      let eight = load_eight(shape.plane_row + min(first_n + i / 4u, shape.rows - 1u), unit, i % 4u);
      let at = i / 4u * PITCH + i % 4u * 2u;
      weights[at] = S4(eight[0]);
      weights[at + 1u] = S4(eight[1]);
    }
    workgroupBarrier();
    for (var c = 0u; c < 8u; c++) {
      let w0 = vec4f(weights[n * PITCH + c]);
      let w1 = vec4f(weights[(n + 16u) * PITCH + c]);
      let w2 = vec4f(weights[(n + 32u) * PITCH + c]);
      let w3 = vec4f(weights[(n + 48u) * PITCH + c]);
      sums0 = add_products(sums0, vec4f(inputs[b * PITCH + c]), w0, w1, w2, w3);
      sums1 = add_products(sums1, vec4f(inputs[(b + REACH) * PITCH + c]), w0, w1, w2, w3);
      sums2 = add_products(sums2, vec4f(inputs[(b + 2u * REACH) * PITCH + c]), w0, w1, w2, w3);
      sums3 = add_products(sums3, vec4f(inputs[(b + 3u * REACH) * PITCH + c]), w0, w1, w2, w3);
    }
    workgroupBarrier();
  }
  write_four(first_b + b, first_n + n, sums0);
  write_four(first_b + b + REACH, first_n + n, sums1);
  write_four(first_b + b + 2u * REACH, first_n + n, sums2);
  write_four(first_b + b + 3u * REACH, first_n + n, sums3);
}

fn add_products(sums: vec4f, input: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return vec4f(
    add_product(sums.x, input, w0), add_product(sums.y, input, w1),
    add_product(sums.z, input, w2), add_product(sums.w, input, w3));
}

fn add_product(sum: f32, a: vec4f, b: vec4f) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

fn write_four(b: u32, n: u32, sums: vec4f) {
  write(b, n, sums.x);
  write(b, n + 16u, sums.y);
  write(b, n + 32u, sums.z);
  write(b, n + 48u, sums.w);
}
