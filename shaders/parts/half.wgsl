// A half's 16 bits (the low ones of a word) as f32, subnormal ones included: GPUs may flush those in unpack2x16float,
// and the scales of 4- and 6-bit formats often are subnormal. Infinity and NaN do not occur in weights.
fn half_to_float(bits: u32) -> f32 {
  let normal = bitcast<f32>(((bits & 0x7fffu) << 13u) + 0x38000000u);
  let subnormal = f32(bits & 0x3ffu) * 0x1p-24f;
  let size = select(normal, subnormal, (bits & 0x7c00u) == 0u);
  return select(size, -size, (bits & 0x8000u) != 0u);
}
