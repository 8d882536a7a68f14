// Blocks of halves d and m and 16 bytes, whose low nibbles are weights 0-15 and high nibbles 16-31, as formats/q4_1 reads
// them.
// Grid: x covers the units of all rows, one a thread.
#import parts/raw
#import parts/pack_nibbles
@group(0) @binding(2) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> scales: array<u32>;

const BLOCK_BYTES = 20u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let units = rows.cols / 32u;
  if id.x >= rows.count * units {
    return;
  }
  let block = rows.start + id.x * BLOCK_BYTES;
  quants[rows.first * units + id.x] = pack_half_bytes(block + 4u);
  scales[rows.first * units + id.x] = scales_at(block, 2u, true);
}
