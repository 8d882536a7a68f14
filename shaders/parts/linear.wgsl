// What the linear kernels share: their bindings behind the weight's planes, and writing one output. Y is S, or f32 when
// `wide`.
#import parts/store
#import $format

#if wide
alias Y = f32;
#else
alias Y = S;
#endif

struct Shape {
  units: u32,        // of 32 columns, in a row of the weight and of x
  rows: u32,         // of the weight, in the part that this dispatch multiplies
  padded_rows: u32,  // columns of y that it writes: `rows`, and in the last part the padding
  row_start: u32,    // the part's first row in the tensor: where it writes in a row of y, and reads bias
  y_stride: u32,     // columns of a row of y
  reserved0: u32,
  reserved1: u32,
  reserved2: u32,
}

@group(0) @binding($xBinding) var<storage, read> x: array<S4>;
@group(0) @binding($yBinding) var<storage, read_write> y: array<Y>;
@group(0) @binding($shapeBinding) var<uniform> shape: Shape;
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

fn row_units() -> u32 {
  return shape.units;
}

// Output of row `row` of this part for row b of the batch: the sum, and what it is added to.
fn write(b: u32, row: u32, sum: f32) {
  if row >= shape.padded_rows {
    return;
  }
  let at = b * shape.y_stride + shape.row_start + row;
  var value = 0.0;
  if row < shape.rows {
    value = sum;
#if bias
    value += bias[shape.row_start + row];
#endif
#if accumulate
    value += f32(y[at]);
#endif
  }
#if wide
  y[at] = value;
#else
  y[at] = store(value);
#endif
}
