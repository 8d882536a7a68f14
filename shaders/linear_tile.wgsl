// y[b][n] = (accumulate: y[b][n]) + (bias: bias[n]) + sum over k of W[n][k] * x[b][k], a tile of $tile rows b by 64 rows n of
// W a workgroup, f16 storage. n runs over the rows of one part of W; padding columns of y become zero; rows of the last
// tile beyond the batch are computed from its last row and not written.
// A unit of 32 columns of x and W at a time is put in workgroup memory as words of two neighbouring columns in f16, four
// rows together in 16 bytes, each weight unpacked once. A thread then makes 4 rows by 4 * $columnFours columns, summed in
// f32. The steps are written out, since loops inside the loop cost copies of all sums. Every tile adds in the same order,
// so its size does not change a bit of y.
// Grid: x covers shape.padded_rows, 64 a workgroup; y covers the batch, $tile rows a workgroup.
#import parts/tile

const COLUMN_FOURS: u32 = $columnFours;     // fours of columns that a thread makes
const COLUMN_LANES: u32 = 16u / COLUMN_FOURS;
const INPUT_LANES: u32 = 4u / COLUMN_FOURS; // threads that bring a unit of a row of x together
// Between pairs of columns: fours of rows and one more, so that words that neighbouring threads store lie in different banks.
const INPUT_PITCH: u32 = TILE / 4u + 1u;
const WEIGHT_PITCH = 17u;

var<workgroup> inputs: array<vec4<u32>, 16u * INPUT_PITCH>;
var<workgroup> weights: array<vec4<u32>, 16u * WEIGHT_PITCH>;

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_b = workgroup.y * TILE;
  let first_n = workgroup.x * 64u;
  let b = thread / COLUMN_LANES;
  let n = thread % COLUMN_LANES;
  var sums: array<array<vec4f, COLUMN_FOURS>, 4>;

  // What this thread brings to the tiles: vectors of a row of x; half units of one or two rows of W.
  let input_row = thread / INPUT_LANES;
  let input_four = input_row / 4u;
  let input_vector = thread % INPUT_LANES;
  let input = min(first_b + input_row, shape.batch - 1u) * input_stride() + input_vector;
  let weight_row = thread / WEIGHT_LANES * WEIGHT_ROWS;
  let weight_four = weight_row / 4u;
  let weight_part = thread % WEIGHT_LANES;
#for r in 0..$weightRows
  let row$r = shape.plane_row + min(first_n + weight_row + $r, shape.rows - 1u);
#endfor

  for (var unit = 0u; unit < shape.units; unit++) {
#for i in 0..$columnFours
    {
      let pairs = x[input + unit * 4u + $i * INPUT_LANES];
      let vector = input_vector + $i * INPUT_LANES;
#for j in 0..4
      inputs[(vector * 4u + $j) * INPUT_PITCH + input_four][input_row % 4u] = pairs[$j];
#endfor
    }
#endfor
#for r in 0..$weightRows
#for i in 0..$parts
    {
      let part = weight_part + $i * WEIGHT_LANES;
      let sixteen = load_sixteen(row$r, unit, part);
#for k in 0..2
#for j in 0..4
      weights[(part * 4u + $k * 8u + $j) * WEIGHT_PITCH + weight_four][(weight_row + $r) % 4u] = sixteen[$k][$j];
#endfor
#endfor
    }
#endfor
#endfor
    workgroupBarrier();
#for pair in 0..16
    {
      let a = inputs[$pair * INPUT_PITCH + b];
#for j in 0..$columnFours
      let w$j = weights[$pair * WEIGHT_PITCH + n + $j * COLUMN_LANES];
#endfor
#for i in 0..4
#for j in 0..$columnFours
      sums[$i][$j] = add_products(sums[$i][$j], a[$i], w$j);
#endfor
#endfor
    }
#endfor
    workgroupBarrier();
  }
#for i in 0..4
#for j in 0..$columnFours
  write_four(first_b + b * 4u + $i, first_n + (n + $j * COLUMN_LANES) * 4u, sums[$i][$j]);
#endfor
#endfor
}

// Two columns of one row of x and of four rows of W.
fn add_products(sums: vec4f, a: u32, w: vec4<u32>) -> vec4f {
  let input = vec2f(bitcast<vec2<f16>>(a));
  let w0 = vec2f(bitcast<vec2<f16>>(w.x));
  let w1 = vec2f(bitcast<vec2<f16>>(w.y));
  let w2 = vec2f(bitcast<vec2<f16>>(w.z));
  let w3 = vec2f(bitcast<vec2<f16>>(w.w));
  let first = fma(vec4f(input.x), vec4f(w0.x, w1.x, w2.x, w3.x), sums);
  return fma(vec4f(input.y), vec4f(w0.y, w1.y, w2.y, w3.y), first);
}

// Four outputs of row b, of rows n ... n + 3 of this part: the sums, and what they are added to.
fn write_four(b: u32, n: u32, sums: vec4f) {
  if b >= shape.batch || n >= shape.padded_rows {
    return;
  }
  let at = (b * shape.y_stride + shape.row_start + n) / 4u;
  var four = sums;
#if bias
#for i in 0..4
  four[$i] += bias[shape.bias_row + min(n + $i, shape.rows - 1u)];
#endfor
#endif
#if accumulate
  four += vec4f(y[at]);
#endif
  four = select(vec4f(), four, vec4(n) + vec4(0u, 1u, 2u, 3u) < vec4(shape.rows));
#if wide
  y[at] = four;
#else
  y[at] = store4(four);
#endif
}
