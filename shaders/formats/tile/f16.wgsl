// formats/f16 for tiles. load_sixteen: as parts/sixteen says.
#import parts/sixteen
@group(0) @binding(0) var<storage, read> values: array<vec4<u32>>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let at = (row * row_units() + unit) * 4u + part;
  let low = values[at];
  let high = values[at + 2u];
#if f16
  return Sixteen(low, high);
}
#else
  return Sixteen(four_halves(low.xy), four_halves(low.zw), four_halves(high.xy), four_halves(high.zw));
}
fn four_halves(words: vec2<u32>) -> vec4f {
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}
#endif
