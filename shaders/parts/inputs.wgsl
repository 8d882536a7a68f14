// What the vector forms of the formats read of x.
#import parts/unpack
#if f16
// Eight columns of a row b: four words of two halves.
fn input_eight(b: u32, eight: u32) -> vec4<u32> {
  return x[b * row_vectors(row_units()) + eight];
}
// sum + the products of two weights and the two columns of a word.
fn add_pair(sum: f32, weights: vec2f, columns: u32) -> f32 {
  let pair = vec2f(bitcast<vec2<f16>>(columns));
  return fma(weights.y, pair.y, fma(weights.x, pair.x, sum));
}
#else
// Four columns of a row b.
fn input_four(b: u32, four: u32) -> vec4f {
  return bitcast<vec4f>(x[b * row_vectors(row_units()) + four]);
}
fn add_four(sum: f32, weights: vec4f, columns: vec4f) -> f32 {
  return fma(weights.w, columns.w, fma(weights.z, columns.z, fma(weights.y, columns.y, fma(weights.x, columns.x, sum))));
}
#endif

// Of a unit of row b: the sums of columns 0-15 and of columns 16-31.
fn input_sums(b: u32, unit: u32) -> vec2f {
  let row = b * row_vectors(row_units());
  let eights = bitcast<vec4f>(x[row + row_sums(row_units()) + unit]);
  return vec2f(eights.x + eights.y, eights.z + eights.w);
}
