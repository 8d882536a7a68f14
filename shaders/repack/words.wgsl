// Rows of 32-bit values, copied, with zeros behind each up to whole units of 32.
// Grid: x covers the units of all rows, one a thread.
#import parts/raw
@group(0) @binding(2) var<storage, read_write> values: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let units = (rows.cols + 31u) / 32u;
  let row = id.x / units;
  if row >= rows.count {
    return;
  }
  let column = (id.x % units) * 32u;
  let at = rows.start + (row * rows.cols + column) * 4u;
  let to = (rows.first + row) * units * 32u + column;
  for (var i = 0u; i < 32u; i++) {
    values[to + i] = select(0u, word_at(at + i * 4u), column + i < rows.cols);
  }
}
