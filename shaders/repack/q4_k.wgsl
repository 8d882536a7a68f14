// Superblocks of halves d and dmin, 12 bytes of 6-bit scales and minima of 8 units, and 128 bytes, each 32 of which hold a
// unit in their low nibbles and the next in their high ones; as formats/q4_k reads them.
// Grid: x covers the units of all rows, one a thread.
#import parts/raw
#import parts/pack_nibbles
@group(0) @binding(2) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> scales: array<u32>;

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
    write_header(rows.first + id.x / units, (id.x % units) / 8u, units / 8u, block);
  }
}

// parts/q4_k_scales has the layout. The 12 bytes: scales 0-3, minima 0-3 (6 bits), nibbles of scales and minima 4-7, whose
// top bits are in the first 8.
fn write_header(row: u32, superblock: u32, superblocks: u32, block: u32) {
  let start = row / 4u * (superblocks * 4u + (superblocks + 1u) / 2u) * 4u + row % 4u;
  let header = start + superblock * 16u;
  let a = word_at(block + 4u);
  let b = word_at(block + 8u);
  let c = word_at(block + 12u);
  let fields = array(
    a & 0x3f3f3f3fu,
    (c & 0x0f0f0f0fu) | ((a >> 2u) & 0x30303030u),
    b & 0x3f3f3f3fu,
    ((c >> 4u) & 0x0f0f0f0fu) | ((b >> 2u) & 0x30303030u),
  );
  scales[header] = scales_at(block, 2u, true);
  for (var word = 0u; word < 3u; word++) {
    var packed = 0u;
    for (var i = 0u; i < 5u; i++) {
      let field = word * 5u + i;
      packed |= ((fields[field / 4u] >> (field % 4u * 8u)) & 63u) << (i * 6u);
    }
    scales[header + 4u + word * 4u] = packed;
  }
  if superblock % 2u == 0u {
    let both = superblock + 1u < superblocks;
    let last = last_minimum(block) | select(0u, last_minimum(block + BLOCK_BYTES) << 16u, both);
    scales[start + superblocks * 16u + superblock / 2u * 4u] = last;
  }
}

fn last_minimum(block: u32) -> u32 {
  return (word_at(block + 12u) >> 28u) | ((word_at(block + 8u) >> 26u) & 0x30u);
}
