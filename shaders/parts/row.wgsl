// A row of activations that a product reads, in vectors of 16 bytes. For each unit of 32 columns the values, in the storage
// type; behind all of them the row's tail, in f32:
//   sums     of each eight of the values as they are stored, four a unit: what an offset left in the weights adds
//   scale    one vector; its first word is the power of two that the values were multiplied by
//   squares  sums of squares of each eight of the hidden values behind a normed row, unrounded and unscaled, four a unit
#if f16
const UNIT_VECTORS = 4u;
#else
const UNIT_VECTORS = 8u;
#endif

// Vectors of a row of `units` units, and where in it the parts of its tail begin.
fn row_vectors(units: u32) -> u32 {
  return units * (UNIT_VECTORS + 2u) + 1u;
}
fn row_sums(units: u32) -> u32 {
  return units * UNIT_VECTORS;
}
fn row_scale(units: u32) -> u32 {
  return units * (UNIT_VECTORS + 1u);
}
fn row_squares(units: u32) -> u32 {
  return units * (UNIT_VECTORS + 1u) + 1u;
}
