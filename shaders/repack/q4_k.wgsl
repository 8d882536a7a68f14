// Superblocks of halves d and dmin, 12 bytes of 6-bit scales and minima of 8 units, and 128 bytes, each 32 of which hold a
// unit in their low nibbles and the next in their high ones; as formats/q4_k reads them.
// Grid: x covers the units of all rows, one a thread.
#import parts/raw
#import parts/pack_nibbles
@group(0) @binding(2) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> scales: array<vec4<u32>>;

const BLOCK_BYTES = 144u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let units = rows.cols / 32u;
  if id.x >= rows.count * units {
    return;
  }
  let unit = id.x % 8u;
  let block = rows.start + (id.x / 8u) * BLOCK_BYTES;
  let at = block + 16u + (unit / 2u) * 32u;
  let shift = (unit % 2u) * 4u;
  var words: vec4<u32>;
  for (var i = 0u; i < 4u; i++) {
    let first = (word_at(at + i * 4u) >> shift) & 0x0f0f0f0fu;
    let second = (word_at(at + 16u + i * 4u) >> shift) & 0x0f0f0f0fu;
    words[i] = pack_nibbles(first | (second << 4u));
  }
  quants[rows.first * units + id.x] = words;
  if unit == 0u {
    scales[(rows.first * units + id.x) / 8u] = header(block);
  }
}

// The 12 bytes: scales 0-3, minima 0-3 (6 bits), nibbles of scales and minima 4-7, whose top bits are in the first 8.
fn header(block: u32) -> vec4<u32> {
  let a = word_at(block + 4u);
  let b = word_at(block + 8u);
  let c = word_at(block + 12u);
  let minima_low = b & 0x3f3f3f3fu;
  let minima_high = ((c >> 4u) & 0x0f0f0f0fu) | ((b >> 2u) & 0x30303030u);
  let scales_low = a & 0x3f3f3f3fu;
  let scales_high = (c & 0x0f0f0f0fu) | ((a >> 2u) & 0x30303030u);
  return vec4(
    scales_at(block, 2u, true),
    scales_low | ((minima_low & 0x03030303u) << 6u),
    scales_high | ((minima_high & 0x03030303u) << 6u),
    gather_nibbles(minima_low >> 2u) | (gather_nibbles(minima_high >> 2u) << 16u),
  );
}

// The low nibbles of a word's four bytes, side by side in 16 bits.
fn gather_nibbles(word: u32) -> u32 {
  let nibbles = word & 0x0f0f0f0fu;
  let pairs = nibbles | (nibbles >> 4u);
  return (pairs & 0xffu) | ((pairs >> 8u) & 0xff00u);
}
