// linear_tile for f32 storage. A unit of 32 columns of x and W at a time is put in workgroup memory row by row, each
// weight unpacked once. A thread then makes 4 x 4 outputs, $tile / 4 rows and 16 columns apart. Rows lie 36 columns apart,
// so that neighbours are in different banks. The steps are written out, since loops inside the loop cost copies of all
// sums. Every tile adds in the same order, so its size does not change a bit of y.
// Grid: x covers shape.padded_rows, 64 a workgroup; y covers the batch, $tile rows a workgroup.
#import parts/tile

const REACH: u32 = TILE / 4u;
const PITCH = 9u; // vectors

var<workgroup> inputs: array<vec4f, TILE * PITCH>;
var<workgroup> weights: array<vec4f, 64u * PITCH>;

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_b = workgroup.y * TILE;
  let first_n = workgroup.x * 64u;
  let b = thread / 16u;
  let n = thread % 16u;
  var sums: array<vec4f, 4>;

  // What this thread brings to the tiles: vectors of a row of x; half units of one or two rows of W.
  let input_row = thread / 4u;
  let input_vector = thread % 4u;
  let input = min(first_b + input_row, shape.batch - 1u) * input_stride() + input_vector;
  let weight_row = thread / WEIGHT_LANES * WEIGHT_ROWS;
  let weight_part = thread % WEIGHT_LANES;
#for r in 0..$weightRows
  let row$r = shape.plane_row + min(first_n + weight_row + $r, shape.rows - 1u);
#endfor

  for (var unit = 0u; unit < shape.units; unit++) {
    inputs[input_row * PITCH + input_vector] = x[input + unit * 8u];
    inputs[input_row * PITCH + input_vector + 4u] = x[input + unit * 8u + 4u];
#for r in 0..$weightRows
#for i in 0..$parts
    {
      let part = weight_part + $i * WEIGHT_LANES;
      let sixteen = load_sixteen(row$r, unit, part);
      let at = (weight_row + $r) * PITCH + part * 2u;
      weights[at] = sixteen[0];
      weights[at + 1u] = sixteen[1];
      weights[at + 4u] = sixteen[2];
      weights[at + 5u] = sixteen[3];
    }
#endfor
#endfor
    workgroupBarrier();
#for c in 0..8
    {
#for j in 0..4
      let w$j = weights[(n + $j * 16u) * PITCH + $c];
#endfor
#for i in 0..4
      sums[$i] = add_products(sums[$i], inputs[(b + $i * REACH) * PITCH + $c], w0, w1, w2, w3);
#endfor
    }
#endfor
    workgroupBarrier();
  }
#for i in 0..4
#for j in 0..4
  write(first_b + b + $i * REACH, first_n + n + $j * 16u, sums[$i][$j]);
#endfor
#endfor
}

fn add_products(sums: vec4f, a: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  let x = fma(vec4f(a.x), vec4f(w0.x, w1.x, w2.x, w3.x), sums);
  let y = fma(vec4f(a.y), vec4f(w0.y, w1.y, w2.y, w3.y), x);
  let z = fma(vec4f(a.z), vec4f(w0.z, w1.z, w2.z, w3.z), y);
  return fma(vec4f(a.w), vec4f(w0.w, w1.w, w2.w, w3.w), z);
}

// One output of row b, of row n of this part: the sum, and what it is added to.
fn write(b: u32, n: u32, sum: f32) {
  if b >= shape.batch || n >= shape.padded_rows {
    return;
  }
  let at = b * shape.y_stride + shape.row_start + n;
  var value = sum;
#if bias
  value += bias[shape.bias_row + min(n, shape.rows - 1u)];
#endif
#if accumulate
  value += y[at / 4u][at % 4u];
#endif
  y[at / 4u][at % 4u] = select(0.0, value, n < shape.rows);
}
