// formats/f32 for tiles. load_sixteen: as parts/sixteen says.
#import parts/sixteen
#import parts/unpack
@group(0) @binding(0) var<storage, read> values: array<vec4f>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let at = (row * row_units() + unit) * 8u + part * 2u;
#if f16
  return Sixteen(four_pairs(values[at], values[at + 1u]), four_pairs(values[at + 4u], values[at + 5u]));
}
fn four_pairs(low: vec4f, high: vec4f) -> vec4<u32> {
  return vec4(pair_of(low.xy), pair_of(low.zw), pair_of(high.xy), pair_of(high.zw));
}
#else
  return Sixteen(values[at], values[at + 1u], values[at + 4u], values[at + 5u]);
}
#endif
