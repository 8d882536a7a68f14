// Keys, values and queries as attention loads them, and their numbers in f32: a conversion from f16 costs nothing where it
// is an operand. In 8 bits a number is OFFSET too large, which is taken out of sums of many, and lacks its scale.
// A word4 is 16 bytes of queries: WORD_DIMS dimensions. A unit, 16 bytes of keys, has those of UNIT_WORDS word4s.
#import parts/storage
#import parts/pages

#if f16
alias Word4 = vec4<u32>;
alias Numbers = array<vec4f, 2>;
const WORD_DIMS = 8u;

fn quad(low: u32, high: u32) -> vec4f {
  return vec4f(vec2f(bitcast<vec2<f16>>(low)), vec2f(bitcast<vec2<f16>>(high)));
}
fn numbers_of(word: Word4) -> Numbers {
  return array(quad(word.x, word.y), quad(word.z, word.w));
}
#else
alias Word4 = vec4f;
alias Numbers = array<vec4f, 1>;
const WORD_DIMS = 4u;

fn numbers_of(word: Word4) -> Numbers {
  return array(word);
}
#endif
const UNIT_WORDS: u32 = UNIT_DIMS / WORD_DIMS;
const HEAD_WORDS: u32 = KEPT_DIMS / WORD_DIMS;

#if q8
alias KeyUnit = vec4<u32>;
#if f16
const OFFSET = 1152.0; // 128, and 1024: what a half is whose low byte is 0 and whose high byte is 0x64

fn bytes(word: u32) -> vec4f {
  return quad((word & 0x00ff00ffu) | 0x64006400u, ((word >> 8u) & 0x00ff00ffu) | 0x64006400u);
}
/// Of word4 `i` of the unit.
fn key_numbers(unit: KeyUnit, i: u32) -> Numbers {
  return array(bytes(unit[i * 2u]), bytes(unit[i * 2u + 1u]));
}
#else
const OFFSET = 128.0;

fn bytes(word: u32) -> vec4f {
  return vec4f((vec4u(word) >> vec4u(0u, 16u, 8u, 24u)) & vec4u(255u));
}
fn key_numbers(unit: KeyUnit, i: u32) -> Numbers {
  return array(bytes(unit[i]));
}
#endif
#else
alias KeyUnit = Word4;
const OFFSET = 0.0;

fn key_numbers(unit: KeyUnit, i: u32) -> Numbers {
  return numbers_of(unit);
}
#endif

// A value unit: the values of $valueDims dimensions of one position.
#if q8
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
#if valueDims == 8
alias ValueUnit = Word4; // f16
fn value_numbers(unit: ValueUnit) -> Numbers {
  return numbers_of(unit);
}
#else
#if f16
alias ValueUnit = vec2<u32>;
fn value_numbers(unit: ValueUnit) -> array<vec4f, 1> {
  return array(quad(unit.x, unit.y));
}
#else
alias ValueUnit = vec4f;
fn value_numbers(unit: ValueUnit) -> array<vec4f, 1> {
  return array(unit);
}
#endif
#endif
#endif
