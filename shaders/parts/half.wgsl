// A half of a plane of scales (the low 16 bits of a word) as the number that the file has. The plane holds it times 1024:
// the scales of 4- and 6-bit formats often are subnormal halves, which GPUs may take for zero, and so they are not.
fn half_to_float(bits: u32) -> f32 {
  return unpack2x16float(bits).x * SCALE_UNIT;
}
const SCALE_UNIT: f32 = 0x1p-10f;
