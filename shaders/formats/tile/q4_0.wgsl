// formats/q4_0 for tiles. load_sixteen: as parts/sixteen says.
#import parts/half
#import parts/sixteen
#import parts/unpack_nibbles
@group(0) @binding(0) var<storage, read> quants: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let scale = half_to_float((scales[row * ((row_units() + 1u) / 2u) + unit / 2u] >> ((unit & 1u) * 16u)) & 0xffffu);
  return unpack_nibbles(quants[(row * row_units() + unit) * 2u + part], scale, negative(8.0 * scale));
}
