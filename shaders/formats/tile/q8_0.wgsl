// formats/q8_0 for tiles. load_sixteen: as parts/sixteen says.
#import parts/half
#import parts/sixteen
#import parts/unpack
@group(0) @binding(0) var<storage, read> quants: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
fn load_sixteen(row: u32, unit: u32, part: u32) -> Sixteen {
  let scale = half_to_float((scales[row * ((row_units() + 1u) / 2u) + unit / 2u] >> ((unit & 1u) * 16u)) & 0xffffu);
  let at = (row * 2u * row_units() + unit) * 2u + part;
  let low = quants[at];
  let high = quants[at + row_units() * 2u];
#if f16
  return Sixteen(eight_bytes(low, scale), eight_bytes(high, scale));
}
fn eight_bytes(words: vec2<u32>, scale: f32) -> vec4<u32> {
  let shifted = words >> vec2(8u);
  let numbers = vec4(words.x, shifted.x, words.y, shifted.y) & vec4(0x00ff00ffu);
  let offset = negative(scale * 1152.0); // 1024, and 128 that all bytes have been raised by
  return vec4(
    scaled_pair(above_1024(numbers.x), scale, offset), scaled_pair(above_1024(numbers.y), scale, offset),
    scaled_pair(above_1024(numbers.z), scale, offset), scaled_pair(above_1024(numbers.w), scale, offset));
}
#else
  return Sixteen(
    four_bytes(low.x, scale), four_bytes(low.y, scale), four_bytes(high.x, scale), four_bytes(high.y, scale));
}
fn four_bytes(word: u32, scale: f32) -> vec4f {
  return scaled_fields(word, vec4(0xffu, 0xff0000u, 0xff00u, 0xff000000u), scale, negative(scale * 128.0));
}
#endif
