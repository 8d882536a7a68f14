// scale * q + offset of sixteen 4-bit numbers in two words of a unit, as parts/nibbles has them: the eight in the low nibbles,
// then the eight in the high ones, sixteen columns later.
#import parts/unpack
#import parts/straight
#if f16
fn unpack_nibbles(words: vec2<u32>, scale: f32, offset: f32) -> array<vec4<u32>, 2> {
  let turned = (words >> vec2(8u)) | (words << vec2(24u));
  let numbers = vec4(words.x, turned.x, words.y, turned.y);
  let low = numbers & vec4(0x003c003cu); // 4 times as much
  let high = numbers & vec4(0x03c003c0u); // 64 times
  return array(
    four_pairs(low, scale / 4.0, fma(scale, -256.0, offset)), four_pairs(high, scale / 64.0, fma(scale, -16.0, offset)));
}
fn four_pairs(numbers: vec4<u32>, scale: f32, offset: f32) -> vec4<u32> {
  return vec4(
    scaled_pair(above_1024(numbers.x), scale, offset), scaled_pair(above_1024(numbers.y), scale, offset),
    scaled_pair(above_1024(numbers.z), scale, offset), scaled_pair(above_1024(numbers.w), scale, offset));
}
#else
const LOW_NIBBLES = vec4(0xfu, 0xf0000u, 0xf00u, 0xf000000u);
fn unpack_nibbles(words: vec2<u32>, scale: f32, offset: f32) -> array<vec4f, 4> {
  let high = scale / 16.0;
  let both = straight(words);
  return array(
    scaled_fields(both.x, LOW_NIBBLES, scale, offset), scaled_fields(both.y, LOW_NIBBLES, scale, offset),
    scaled_fields(both.x, LOW_NIBBLES << vec4(4u), high, offset),
    scaled_fields(both.y, LOW_NIBBLES << vec4(4u), high, offset));
}
#endif
