// Rows of row_units() units of 32 halves. load_eight: the weights 8 * eight ... 8 * eight + 7 of a unit.
@group(0) @binding(0) var<storage, read> values: array<vec4<u32>>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let words = values[(row * row_units() + unit) * 4u + eight];
  return array(
    vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
    vec4f(unpack2x16float(words.z), unpack2x16float(words.w)),
  );
}
