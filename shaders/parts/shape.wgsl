// The shape of a product, which differs from dispatch to dispatch without compiling anew: worker/gpu/product.ts.
struct Shape {
  units: u32,        // of 32 columns, in a row of the weight and of x
  rows: u32,         // of the weight, in the part that this dispatch multiplies
  padded_rows: u32,  // columns of y that it writes: `rows`, and in the last part the padding
  row_start: u32,    // the part's first row in the tensor: where it writes in a row of y
  y_stride: u32,     // columns of a row of y
  plane_row: u32,    // the part's first row in the planes, which may hold rows of other tensors, too
  batch: u32,        // rows of x and y, for kernels whose tiles may reach beyond them
  bias_row: u32,     // the part's first entry in bias
}

@group(0) @binding($shapeBinding) var<uniform> shape: Shape;

fn row_units() -> u32 {
  return shape.units;
}
