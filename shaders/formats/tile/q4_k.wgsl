// formats/q4_k for tiles. load_sixteen: as parts/sixteen says.
#import parts/q4_k_scales
#import parts/sixteen
#import parts/unpack_nibbles
@group(0) @binding(0) var<storage, read> quants: array<vec2<u32>>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let scale = unit_scales(row, unit);
  return unpack_nibbles(quants[(row * row_units() + unit) * 2u + part], scale.x, -scale.y);
}
