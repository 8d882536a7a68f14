// formats/q4_1 for tiles. load_sixteen: as parts/sixteen says.
#import parts/half
#import parts/sixteen
#import parts/unpack_nibbles
@group(0) @binding(0) var<storage, read> quants: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let at = row * row_units() + unit;
  let pair = scales[at];
  return unpack_nibbles(quants[at * 2u + part], half_to_float(pair & 0xffffu), half_to_float(pair >> 16u));
}
