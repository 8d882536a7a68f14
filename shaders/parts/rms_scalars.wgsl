// What is left to divide rows of activations by, of those that a norm's weights were multiplied into but not its scalar
// (parts/row): rms = sqrt(mean of the hidden values' squares + eps), over `columns` values. For epilogues of a product
// that read rows x; the order of a sum does not depend on the batch.
const SQUARE_LANES = 8u;
var<workgroup> lane_squares: array<vec4f, BATCH * SQUARE_LANES>;
// Of each row 1 / (rms * the power of two that its values were multiplied by), which the product is to be multiplied
// with, and 1 / rms.
var<workgroup> scalars: array<vec2f, BATCH>;

// Every thread calls it.
fn find_scalars(thread: u32) {
  let units = row_units();
  for (var i = thread; i < BATCH * SQUARE_LANES; i += THREADS) {
    let squares = i / SQUARE_LANES * row_vectors(units) + row_squares(units);
    var sum = vec4f();
    for (var unit = i % SQUARE_LANES; unit < units; unit += SQUARE_LANES) {
      sum += bitcast<vec4f>(x[squares + unit]);
    }
    lane_squares[i] = sum;
  }
  workgroupBarrier();
  if thread < BATCH {
    var sum = vec4f();
    for (var lane = 0u; lane < SQUARE_LANES; lane++) {
      sum += lane_squares[thread * SQUARE_LANES + lane];
    }
    let mean = ((sum.x + sum.y) + (sum.z + sum.w)) / f32($columns);
    let inverse = 1.0 / sqrt(mean + $eps);
    let scale = bitcast<f32>(x[thread * row_vectors(units) + row_scale(units)].x);
    scalars[thread] = vec2f(inverse / scale, inverse);
  }
  workgroupBarrier();
}
