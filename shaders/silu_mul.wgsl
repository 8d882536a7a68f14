// output = silu(gate) * up, silu(x) = x / (1 + exp(-x)); padding columns become zero.
// Grid: x covers the columns, four a thread; y is the row.
#import parts/store

const COLUMNS: u32 = $cols;
const STRIDE4: u32 = $stride / 4u;

@group(0) @binding(0) var<storage, read> gate: array<S4>;
@group(0) @binding(1) var<storage, read> up: array<S4>;
@group(0) @binding(2) var<storage, read_write> output: array<S4>;

@compute @workgroup_size($threads)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if id.x >= STRIDE4 {
    return;
  }
  let i = id.y * STRIDE4 + id.x;
  let x = vec4f(gate[i]);
  let silu = x / (1.0 + exp(min(-x, vec4f(80.0)))); // exp stays finite
  let inside = vec4u(id.x * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(COLUMNS);
  output[i] = store4(select(vec4f(), silu * vec4f(up[i]), inside));
}
