// Superblocks of 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales, and a half d, as formats/q6_k reads
// them. Of each half superblock, byte l of the low nibbles holds weights l (low) and l + 64, byte l + 32 weights l + 32 and
// l + 96; byte l of the high bits the four of them, from bit 0 up.
// Grid: x covers the units of all rows, one a thread.
#import parts/raw
@group(0) @binding(2) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> high: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> scales: array<u32>;

const BLOCK_BYTES = 210u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let units = rows.cols / 32u;
  let row = id.x / units;
  if row >= rows.count {
    return;
  }
  let superblocks = units / 8u;
  let superblock = (id.x % units) / 8u;
  let unit = id.x % 8u;
  let block = rows.start + (id.x / 8u) * BLOCK_BYTES;
  let first = eights(block, unit, 0u);
  let second = eights(block, unit, 1u);
  quants[rows.first * units + id.x] = vec4(first.xy, second.xy);
  high[rows.first * units + id.x] = vec2(first.z, second.z);
  let row_scales = (rows.first + row) * (superblocks * 4u + (superblocks + 1u) / 2u);
  if unit % 2u == 0u {
    let bytes = word_at(block + 192u + unit * 2u) ^ 0x80808080u;
    let word = (bytes & 0xff0000ffu) | ((bytes >> 8u) & 0xff00u) | ((bytes & 0xff00u) << 8u);
    scales[row_scales + superblock * 4u + unit / 2u] = word;
  }
  if unit == 0u && superblock % 2u == 0u {
    let word = scales_at(block + 208u, BLOCK_BYTES, superblock + 1u < superblocks);
    scales[row_scales + superblocks * 4u + superblock / 2u] = word;
  }
}

// The words a, b, c of a unit's weights 8 * eight ... 8 * eight + 7 of both groups of 16.
fn eights(block: u32, unit: u32, eight: u32) -> vec3<u32> {
  let part = unit % 4u; // which 32 of a half superblock's 128
  let side = unit / 4u;
  let low = block + side * 64u + (part % 2u) * 32u + eight * 8u;
  let top = block + 128u + side * 32u + eight * 8u;
  let first = group_of_eight(low, top, part);
  let second = group_of_eight(low + 16u, top + 16u, part);
  return first | (second << vec3(16u));
}

// Eight weights of 6 bits in three halves: six of them at bits 0 and 6, the last two on top.
fn group_of_eight(low: u32, top: u32, part: u32) -> vec3<u32> {
  let first = six_bits(word_at(low), word_at(top), part);
  let last = six_bits(word_at(low + 4u), word_at(top + 4u), part);
  let sixth = (last >> 16u) & 0x3fu;
  let seventh = last >> 24u;
  return vec3(
    (first & 0x3fu) | ((first >> 2u) & 0xfc0u) | ((sixth & 0xfu) << 12u),
    ((first >> 16u) & 0x3fu) | ((first >> 18u) & 0xfc0u) | ((sixth >> 4u) << 12u) | ((seventh >> 4u) << 14u),
    (last & 0x3fu) | ((last >> 2u) & 0xfc0u) | ((seventh & 0xfu) << 12u),
  );
}

// Four weights of 6 bits in the bytes of a word.
fn six_bits(low: u32, top: u32, part: u32) -> u32 {
  return ((low >> ((part / 2u) * 4u)) & 0x0f0f0f0fu) | (((top >> (part * 2u)) & 0x03030303u) << 4u);
}
