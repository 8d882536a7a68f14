// d * (q - 8). Rows of row_units() units: four words of nibbles, and a half d. load_eight: weights 8 * eight ... 8 * eight + 7 of a unit.
#import parts/half
#import parts/nibbles
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let scale = half_to_float((scales[row * ((row_units() + 1u) / 2u) + unit / 2u] >> ((unit & 1u) * 16u)) & 0xffffu);
  let q = nibbles(quants[row * row_units() + unit], eight);
  return array(scale * (q[0] - 8.0), scale * (q[1] - 8.0));
}
