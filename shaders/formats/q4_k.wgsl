// d * scale * q - dmin * min. Rows of row_units() units, eight a superblock: four words of nibbles a unit; scales as in
// parts/q4_k_scales. load_eight: weights 8 * eight ... 8 * eight + 7 of a unit.
#import parts/nibbles
#import parts/q4_k_scales
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let scale = unit_scales(row, unit);
  let q = nibbles(quants[row * row_units() + unit], eight);
  return array(fma(vec4f(scale.x), q[0], vec4f(-scale.y)), fma(vec4f(scale.x), q[1], vec4f(-scale.y)));
}
