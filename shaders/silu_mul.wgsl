// Rows of activations (parts/row): output = silu(gate) * up, silu(x) = x / (1 + exp(-x)); padding columns become zero.
// gate, up: rows of `cols` columns, padded to units of 32.
// Grid: x covers the columns, eight a thread; y is the row.
#import parts/row_write
#import parts/silu

const COLUMNS: u32 = $cols;
const UNITS: u32 = (COLUMNS + 31u) / 32u;
const EIGHTS: u32 = UNITS * 4u;

@group(0) @binding(0) var<storage, read> gate: array<S4>;
@group(0) @binding(1) var<storage, read> up: array<S4>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

fn activated(i: u32, column: u32) -> vec4f {
  let inside = vec4u(column) + vec4u(0u, 1u, 2u, 3u) < vec4u(COLUMNS);
  return select(vec4f(), silu(vec4f(gate[i])) * vec4f(up[i]), inside);
}

@compute @workgroup_size($threads)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x >= EIGHTS {
    return;
  }
  let i = (id.y * EIGHTS + id.x) * 2u;
  let low = activated(i, id.x * 8u);
  let high = activated(i + 1u, id.x * 8u + 4u);
  write_eight(id.y * row_words(UNITS), UNITS, id.x, low, high);
}
