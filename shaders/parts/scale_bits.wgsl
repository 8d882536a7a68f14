// Bits of a half times 1024, as parts/half reads it: a subnormal one becomes normal, all is exact below 64, and what is
// more than that, and no file has, becomes the largest half.
fn scale_bits(half: u32) -> u32 {
  let sign = half & 0x8000u;
  let exponent = (half >> 10u) & 31u;
  let fraction = half & 1023u;
  if exponent > 20u {
    return sign | 0x7bffu;
  }
  if exponent > 0u {
    return half + (10u << 10u);
  }
  if fraction == 0u {
    return sign;
  }
  let top = firstLeadingBit(fraction);
  return sign | ((top + 1u) << 10u) | ((fraction << (10u - top)) & 1023u);
}
