// Blocks of a half d and 32 signed bytes, as formats/q8_0 reads them: bytes + 128, in each word the middle two exchanged;
// a row's units' first 16 weights, then their last 16.
// Grid: x covers the units of all rows, one a thread.
#import parts/raw
@group(0) @binding(2) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> scales: array<u32>;

const BLOCK_BYTES = 34u;

fn sixteen_at(byte: u32) -> vec4<u32> {
  let words = vec4(word_at(byte), word_at(byte + 4u), word_at(byte + 8u), word_at(byte + 12u));
  let middle = ((words & vec4(0xff00u)) << vec4(8u)) | ((words >> vec4(8u)) & vec4(0xff00u));
  return ((words & vec4(0xff0000ffu)) | middle) ^ vec4(0x80808080u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let units = rows.cols / 32u;
  let row = id.x / units;
  if row >= rows.count {
    return;
  }
  let unit = id.x % units;
  let block = rows.start + id.x * BLOCK_BYTES;
  let to = (rows.first + row) * 2u * units + unit;
  quants[to] = sixteen_at(block + 2u);
  quants[to + units] = sixteen_at(block + 18u);
  if unit % 2u == 0u {
    let word = scales_at(block, BLOCK_BYTES, unit + 1u < units);
    scales[(rows.first + row) * ((units + 1u) / 2u) + unit / 2u] = word;
  }
}
