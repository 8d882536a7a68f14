// Eight 4-bit numbers of a unit. Its words, once straight, hold in each half weights 4j and 4j + 1, and eight bits above these
// 4j + 2 and 4j + 3; weights 0 to 15 from bit 0 on, 16 to 31 from bit 4 on. They lie two bits round, so that products unpack
// them by masks alone (parts/nibble_products).
#import parts/straight
fn nibbles(unit: vec4<u32>, eight: u32) -> array<vec4f, 2> {
  let two = select(unit.xy, unit.zw, (eight & 1u) == 1u);
  let words = straight(two) >> vec2((eight / 2u) * 4u);
  return array(four_nibbles(words.x), four_nibbles(words.y));
}
fn four_nibbles(word: u32) -> vec4f {
  return vec4f((vec4(word) >> vec4(0u, 16u, 8u, 24u)) & vec4(15u));
}
