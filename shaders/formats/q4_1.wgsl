// d * q + m. Rows of row_units() units: four words of nibbles, and a word of halves d, m. load_eight: weights 8 * eight ... 8 * eight + 7 of a unit.
#import parts/half
#import parts/nibbles
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let pair = scales[row * row_units() + unit];
  let scale = vec4f(half_to_float(pair & 0xffffu));
  let minimum = vec4f(half_to_float(pair >> 16u));
  let q = nibbles(quants[row * row_units() + unit], eight);
  return array(fma(scale, q[0], minimum), fma(scale, q[1], minimum));
}
