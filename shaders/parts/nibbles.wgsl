// Eight 4-bit numbers of a word: 2k at bit 4k of the low half, 2k + 1 at bit 4k of the high half.
fn nibbles(word: u32) -> array<vec4f, 2> {
  let low = (vec4(word) >> vec4(0u, 16u, 4u, 20u)) & vec4(15u);
  let high = (vec4(word) >> vec4(8u, 24u, 12u, 28u)) & vec4(15u);
  return array(vec4f(low), vec4f(high));
}
