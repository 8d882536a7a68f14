// Rows of row_units() units of 32 floats. load_eight: the weights 8 * eight ... 8 * eight + 7 of a unit.
@group(0) @binding(0) var<storage, read> values: array<vec4f>;
fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2> {
  let at = ((row * row_units() + unit) * 4u + eight) * 2u;
  return array(values[at], values[at + 1u]);
}
