// What the tiled products share: their bindings behind the weight's planes, and which weights a thread unpacks.
#import parts/store
#import parts/shape
#import parts/row
#import $format

#if wide
alias Y4 = vec4f;
#else
alias Y4 = S4;
#endif
#if f16
alias Vector = vec4<u32>; // eight columns
#else
alias Vector = vec4f;
#endif

@group(0) @binding($xBinding) var<storage, read> x: array<Vector>;
@group(0) @binding($yBinding) var<storage, read_write> y: array<Y4>;
#if bias
@group(0) @binding($biasBinding) var<storage, read> bias: array<f32>;
#endif

const TILE: u32 = $tile;
const WEIGHT_LANES: u32 = 2u / $parts; // threads that unpack a unit of a row of W together
const WEIGHT_ROWS: u32 = $weightRows;  // rows of W that a thread unpacks

// Vectors from one row of x to the next.
fn input_stride() -> u32 {
  return row_vectors(shape.units);
}
