// y[b][n] = (accumulate: y[b][n]) + (bias: bias[n]) + sum over k of W[n][k] * x[b][k], a tile of $tile rows b by 64 rows n of
// W a workgroup. n runs over the rows of one part of W; padding columns of y become zero; rows of the last tile beyond the
// batch are computed from its last row and not written.
// A unit of 32 columns of x and W at a time is put in workgroup memory row by row, in vectors of 16 bytes as x has them, each
// weight unpacked once. Every vector is written whole by one thread: a write to a component may touch the others. Rows lie
// one vector more apart than they are long, so that neighbours are in different banks. A thread then makes 4 rows by $columns
// columns, neighbours' side by side, summed in f32. The steps are written out, since loops inside the loop cost copies of all
// sums. Every tile adds in the same order, so its size does not change a bit of y.
// Grid: x covers shape.padded_rows, 64 a workgroup; y covers the batch, $tile rows a workgroup.
#import parts/store
#import parts/shape
#import parts/row
#import $format

#if f16
alias Vector = vec4<u32>; // eight columns
const VECTORS = 4u; // of a unit
#else
alias Vector = vec4f;
const VECTORS = 8u;
#endif
#if wide
alias Y = f32;
#else
alias Y = S;
#endif

@group(0) @binding($xBinding) var<storage, read> x: array<Vector>;
@group(0) @binding($yBinding) var<storage, read_write> y: array<Y>;
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

const TILE: u32 = $tile;
const ROW_LANES: u32 = TILE / 4u;        // rows of a thread lie so far apart
const COLUMN_LANES: u32 = 64u / $columns; // columns of a thread lie so far apart
const INPUT_LANES: u32 = 16u / $columns;  // threads that bring a unit of a row of x together
const WEIGHT_LANES: u32 = 2u / $parts;    // threads that unpack a unit of a row of W together
const WEIGHT_ROWS: u32 = $weightRows;     // rows of W that a thread unpacks
const PITCH: u32 = VECTORS + 1u;

var<workgroup> inputs: array<Vector, TILE * PITCH>;
var<workgroup> weights: array<Vector, 64u * PITCH>;

@compute @workgroup_size($threads)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let first_b = workgroup.y * TILE;
  let first_n = workgroup.x * 64u;
  let b = thread / COLUMN_LANES;
  let n = thread % COLUMN_LANES;
  var sums: array<vec4f, $columns>; // of each column four rows

  // What this thread brings to the tiles: vectors of a row of x; half units of one or more rows of W.
  let input_row = thread / INPUT_LANES;
  let input_vector = thread % INPUT_LANES;
  let input = min(first_b + input_row, shape.batch - 1u) * row_vectors(shape.units) + input_vector;
  let weight_row = thread / WEIGHT_LANES * WEIGHT_ROWS;
  let weight_part = thread % WEIGHT_LANES;
#for r in 0..$weightRows
  let row$r = shape.plane_row + min(first_n + weight_row + $r, shape.rows - 1u);
#endfor

  // counted down: so the compiler sees that it ends, and adds no counter of its own
  for (var left = shape.units; left > 0u; left--) {
    let unit = shape.units - left;
#for i in 0..$inputVectors
    inputs[input_row * PITCH + input_vector + $i * INPUT_LANES] = x[input + unit * VECTORS + $i * INPUT_LANES];
#endfor
#for r in 0..$weightRows
#for i in 0..$parts
    {
      let part = weight_part + $i * WEIGHT_LANES;
      let sixteen = load_sixteen(row$r, unit, part);
      let at = (weight_row + $r) * PITCH;
#if f16
      weights[at + part] = sixteen[0];
      weights[at + part + 2u] = sixteen[1];
#else
      weights[at + part * 2u] = sixteen[0];
      weights[at + part * 2u + 1u] = sixteen[1];
      weights[at + part * 2u + 4u] = sixteen[2];
      weights[at + part * 2u + 5u] = sixteen[3];
#endif
    }
#endfor
#endfor
    workgroupBarrier();
#for v in 0..$vectors
    {
#for i in 0..4
      let x$i = inputs[(b + $i * ROW_LANES) * PITCH + $v];
#endfor
#for j in 0..$columns
      sums[$j] = add_products(sums[$j], x0, x1, x2, x3, weights[(n + $j * COLUMN_LANES) * PITCH + $v]);
#endfor
    }
#endfor
    workgroupBarrier();
  }
#for j in 0..$columns
#for i in 0..4
  write(first_b + b + $i * ROW_LANES, first_n + n + $j * COLUMN_LANES, sums[$j][$i]);
#endfor
#endfor
}

// The columns of a vector, of four rows of x and one of W.
fn add_products(sums: vec4f, x0: Vector, x1: Vector, x2: Vector, x3: Vector, w: Vector) -> vec4f {
  var out = sums;
#for c in 0..4
#if f16
  {
    let pair = halves(w[$c]);
    let pair0 = halves(x0[$c]);
    let pair1 = halves(x1[$c]);
    let pair2 = halves(x2[$c]);
    let pair3 = halves(x3[$c]);
    out = fma(vec4f(pair0.x, pair1.x, pair2.x, pair3.x), vec4f(pair.x), out);
    out = fma(vec4f(pair0.y, pair1.y, pair2.y, pair3.y), vec4f(pair.y), out);
  }
#else
  out = fma(vec4f(x0[$c], x1[$c], x2[$c], x3[$c]), vec4f(w[$c]), out);
#endif
#endfor
  return out;
}
#if f16
fn halves(word: u32) -> vec2f {
  return vec2f(bitcast<vec2<f16>>(word));
}
#endif

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
  value += f32(y[at]);
#endif
  value = select(0.0, value, n < shape.rows);
#if wide
  y[at] = value;
#else
  y[at] = store(value);
#endif
}
