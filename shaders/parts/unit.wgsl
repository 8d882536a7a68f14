// The weights 32 * unit ... 32 * unit + 31 of a row in order, from a format's load_eight.
fn load_unit(row: u32, unit: u32) -> array<vec4f, 8> {
  let a = load_eight(row, unit, 0u);
  let b = load_eight(row, unit, 1u);
  let c = load_eight(row, unit, 2u);
  let d = load_eight(row, unit, 3u);
  return array(a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]);
}
