// What the linear kernels share: their bindings behind the weight's planes, and writing one output. Y is S, or f32 when
// `wide`.
#import parts/store
#import parts/shape
#import parts/row
#import $format

#if wide
alias Y = f32;
#else
alias Y = S;
#endif

@group(0) @binding($xBinding) var<storage, read> x: array<S4>;
@group(0) @binding($yBinding) var<storage, read_write> y: array<Y>;
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

// From one row of x to the next.
fn x_stride4() -> u32 {
#if f16
  return row_vectors(shape.units) * 2u;
#else
  return row_vectors(shape.units);
#endif
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
    value += bias[shape.bias_row + row];
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
