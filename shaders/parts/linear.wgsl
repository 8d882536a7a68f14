// What the linear kernels share: their bindings behind the weight's planes, and writing one output. Y is S, or f32 when
// `wide`. The part of W has $rows rows, $rowStart and on of the tensor; with $paddedRows it covers its share of a row of y,
// $yStride columns long.
#import parts/store
#import $format

#if wide
alias Y = f32;
#else
alias Y = S;
#endif

const UNITS: u32 = $units;
const ROWS: u32 = $rows;
const PADDED_ROWS: u32 = $paddedRows;
const ROW_START: u32 = $rowStart;
const Y_STRIDE: u32 = $yStride;

@group(0) @binding($xBinding) var<storage, read> x: array<S4>;
@group(0) @binding($yBinding) var<storage, read_write> y: array<Y>;
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

// Output of row `row` of this part for row b of the batch: the sum, and what it is added to.
fn write(b: u32, row: u32, sum: f32) {
  if row >= PADDED_ROWS {
    return;
  }
  let at = b * Y_STRIDE + ROW_START + row;
  var value = 0.0;
  if row < ROWS {
    value = sum;
#if bias
    value += bias[ROW_START + row];
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
