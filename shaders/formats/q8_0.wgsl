// d * q, q in -128 ... 127 stored as q + 128. Rows of row_units() units: the units' first 16 weights, then their last 16;
// bytes 0, 2, 1, 3 of a word are weights 0, 1, 2, 3. load_eight: the weights 8 * eight ... 8 * eight + 7 of a unit.
#import parts/half
@group(0) @binding(0) var<storage, read> quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let scale = half_to_float((scales[row * ((row_units() + 1u) / 2u) + unit / 2u] >> ((unit & 1u) * 16u)) & 0xffffu);
  let words = quants[(row * 2u + eight / 2u) * row_units() + unit];
  let pair = select(words.xy, words.zw, (eight & 1u) == 1u);
  return array(scale * signed_bytes(pair.x), scale * signed_bytes(pair.y));
}
fn signed_bytes(word: u32) -> vec4f {
  return vec4f((vec4(word) >> vec4(0u, 16u, 8u, 24u)) & vec4(255u)) - 128.0;
}
