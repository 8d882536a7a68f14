// What the bytes of a head's key or value mean: number = middle + scale * (byte - 128). One word for both: scale and middle
// are the upper halves of an f32, in the upper and the lower half. A value's middle is 0; keys, whose dimensions may differ
// in size and have a sign each, would lose half as much again without one.

/// For numbers from `least` to `most`.
fn units_of(least: f32, most: f32) -> u32 {
  let middle = bitcast<f32>(bitcast<u32>(0.5 * (least + most)) & 0xffff0000u);
  let reach = max(max(most - middle, middle - least), 1e-30);
  let scale = bitcast<u32>(reach / 127.0) + 0xffffu; // rounded up
  return (scale & 0xffff0000u) | (bitcast<u32>(middle) >> 16u);
}

fn scale_in(units: u32) -> f32 {
  return bitcast<f32>(units & 0xffff0000u);
}

fn middle_in(units: u32) -> f32 {
  return bitcast<f32>(units << 16u);
}
