#import parts/half
// Both halves of a word of scales, times 1024 as they lie.
fn scale_pair(word: u32) -> vec2f {
#if f16
  return vec2f(bitcast<vec2<f16>>(word));
#else
  return unpack2x16float(word);
#endif
}
