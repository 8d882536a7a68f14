// Keys, values and queries as attention loads them, as f32. A conversion from f16 costs nothing where it is an operand.
// In 8 bits a number is left in as byte + OFFSET's rest: OFFSET too large, which is taken out of sums; the byte's scale
// is left out.
#import parts/storage
#import parts/pages

const UNIT_QUADS: u32 = UNIT_DIMS / 4u;

#if f16
alias Word4 = vec4<u32>; // 16 bytes of queries
const WORD_QUADS = 2u;
fn pair(word: u32) -> vec2f {
  return vec2f(bitcast<vec2<f16>>(word));
}
fn quad(low: u32, high: u32) -> vec4f {
  return vec4f(pair(low), pair(high));
}
#else
alias Word4 = vec4f;
const WORD_QUADS = 1u;
#endif

#if q8
alias KeyUnit = vec4<u32>;
#if f16
const OFFSET = 1152.0; // the half 0x6400 is 1024, and its low bits count from there
fn bytes(word: u32) -> vec4f {
  return quad((word & 0x00ff00ffu) | 0x64006400u, ((word >> 8u) & 0x00ff00ffu) | 0x64006400u);
}
#else
const OFFSET = 128.0;
fn bytes(word: u32) -> vec4f {
  return vec4f((vec4u(word) >> vec4u(0u, 16u, 8u, 24u)) & vec4u(255u));
}
#endif
fn key_numbers(unit: KeyUnit) -> array<vec4f, 4> {
  return array(bytes(unit.x), bytes(unit.y), bytes(unit.z), bytes(unit.w));
}
#if valueDims == 8
alias ValueUnit = vec2<u32>;
fn value_numbers(unit: ValueUnit) -> array<vec4f, 2> {
  return array(bytes(unit.x), bytes(unit.y));
}
#else
alias ValueUnit = u32;
fn value_numbers(unit: ValueUnit) -> array<vec4f, 1> {
  return array(bytes(unit));
}
#endif
#else
alias KeyUnit = Word4;
#if f16
fn key_numbers(unit: KeyUnit) -> array<vec4f, 2> {
  return array(quad(unit.x, unit.y), quad(unit.z, unit.w));
}
#if valueDims == 8
alias ValueUnit = vec4<u32>;
fn value_numbers(unit: ValueUnit) -> array<vec4f, 2> {
  return key_numbers(unit);
}
#else
alias ValueUnit = vec2<u32>;
fn value_numbers(unit: ValueUnit) -> array<vec4f, 1> {
  return array(quad(unit.x, unit.y));
}
#endif
#else
fn key_numbers(unit: KeyUnit) -> array<vec4f, 1> {
  return array(unit);
}
alias ValueUnit = vec4f;
fn value_numbers(unit: ValueUnit) -> array<vec4f, 1> {
  return array(unit);
}
#endif
#endif
