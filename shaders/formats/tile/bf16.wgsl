// formats/bf16 for tiles. load_sixteen: as parts/sixteen says.
#import parts/sixteen
#import parts/unpack
@group(0) @binding(0) var<storage, read> values: array<vec4<u32>>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let at = (row * row_units() + unit) * 4u + part;
  let low = values[at];
  let high = values[at + 2u];
#if f16
  return Sixteen(four_pairs(low), four_pairs(high));
}
fn four_pairs(words: vec4<u32>) -> vec4<u32> {
  return vec4(
    pair_of(high_halves(words.x)), pair_of(high_halves(words.y)),
    pair_of(high_halves(words.z)), pair_of(high_halves(words.w)));
}
#else
  return Sixteen(
    vec4f(high_halves(low.x), high_halves(low.y)), vec4f(high_halves(low.z), high_halves(low.w)),
    vec4f(high_halves(high.x), high_halves(high.y)), vec4f(high_halves(high.z), high_halves(high.w)));
}
#endif
fn high_halves(word: u32) -> vec2f {
  return bitcast<vec2f>(vec2(word << 16u, word & 0xffff0000u));
}
