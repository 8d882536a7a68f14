// d * scale * q - dmin * min. Rows of row_units() units, eight a superblock: four words of nibbles a unit, four words a
// superblock: halves d, dmin; byte j of words 1 and 2 = scale | (min & 3) << 6 of unit j; nibble j of word 3 = min >> 2.
// load_eight: weights 8 * eight ... 8 * eight + 7 of a unit.
#import parts/half
#import parts/nibbles
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<vec4<u32>>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let header = scales[(row * row_units() + unit) / 8u];
  let j = unit & 7u;
  let both = (select(header.y, header.z, j >= 4u) >> ((j & 3u) * 8u)) & 255u;
  let scale = half_to_float(header.x & 0xffffu) * f32(both & 63u);
  let minimum = half_to_float(header.x >> 16u) * f32((((header.w >> (j * 4u)) & 15u) << 2u) | (both >> 6u));
  let q = nibbles(quants[row * row_units() + unit], eight);
  return array(fma(vec4f(scale), q[0], vec4f(-minimum)), fma(vec4f(scale), q[1], vec4f(-minimum)));
}
