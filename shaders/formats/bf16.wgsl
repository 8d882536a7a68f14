// Rows of row_units() units of 32 high halves of floats. load_eight: the weights 8 * eight ... 8 * eight + 7 of a unit.
@group(0) @binding(0) var<storage, read> values: array<vec4<u32>>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let words = values[(row * row_units() + unit) * 4u + eight];
  let even = bitcast<vec4f>(words << vec4(16u));
  let odd = bitcast<vec4f>(words & vec4(0xffff0000u));
  return array(vec4f(even.x, odd.x, even.y, odd.y), vec4f(even.z, odd.z, even.w, odd.w));
}
