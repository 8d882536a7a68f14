// What the tile forms of the formats share. Fields of a word are never shifted into place where a smaller scale does the same.
#if f16
// Whole numbers n in the lowest ten bits of both halves of a word, as 1024 + n: the bits of a half between 1024 and 2047.
fn above_1024(numbers: u32) -> vec2f {
  return vec2f(bitcast<vec2<f16>>(numbers | 0x64006400u));
}

// Both numbers times `scale`, plus `offset`, rounded to f16 once: two weights as the halves of a word.
fn scaled_pair(numbers: vec2f, scale: f32, offset: f32) -> u32 {
  return pair_of(fma(numbers, vec2f(scale), vec2f(offset)));
}

fn pair_of(values: vec2f) -> u32 {
  return bitcast<u32>(vec2<f16>(values));
}
#else
// Four fields of a word, at bits 0, 16, 8 and 24 of what `masks` leave, times `scale`, plus `offset`.
fn scaled_fields(word: u32, masks: vec4<u32>, scale: f32, offset: f32) -> vec4f {
  return fma(vec4f(vec4(word) & masks), scale * vec4f(1.0, 0x1p-16, 0x1p-8, 0x1p-24), vec4f(offset));
}
#endif

// -value, for an offset that is a multiple of its scale: Mesa would make n * s - c * s two operations, as (n - c) * s, if it
// could see through the sign.
fn negative(value: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(value) ^ 0x80000000u);
}
