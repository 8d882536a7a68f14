// Blocks of a half d and 16 bytes, whose low nibbles are weights 0-15 and high nibbles 16-31, as formats/q4_0 reads them.
// Grid: x covers the units of all rows, one a thread.
#import parts/raw
#import parts/pack_nibbles
@group(0) @binding(2) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> scales: array<u32>;

const BLOCK_BYTES = 18u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let units = rows.cols / 32u;
  let row = id.x / units;
  if row >= rows.count {
    return;
  }
  let unit = id.x % units;
  let block = rows.start + id.x * BLOCK_BYTES;
  quants[rows.first * units + id.x] = pack_half_bytes(block + 2u);
  if unit % 2u == 0u {
    let word = scales_at(block, BLOCK_BYTES, unit + 1u < units);
    scales[(rows.first + row) * ((units + 1u) / 2u) + unit / 2u] = word;
  }
}
