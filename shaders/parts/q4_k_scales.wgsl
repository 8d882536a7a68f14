// Scales and minima of Q4_K. Those of four rows lie side by side, a word of each in a vector: of each superblock of eight
// units first halves d, dmin (parts/half), then three words of five fields of 6 bits: the units' scales 0-7 and minima 0-6.
// Behind all superblocks of the four rows a vector for each two of them: minimum 7 of the first in the low half, of the
// second in the high half.
#import parts/half
@group(0) @binding(1) var<storage, read> scales: array<u32>;

// Of a unit: d * scale, dmin * min.
fn unit_scales(row: u32, unit: u32) -> vec2f {
  let superblocks = row_units() / 8u;
  let block = unit / 8u;
  let start = row / 4u * (superblocks * 4u + (superblocks + 1u) / 2u) * 4u + row % 4u;
  let header = start + block * 16u;
  let d = scales[header];
  let j = unit % 8u;
  let scale = scales[header + 4u + j / 5u * 4u] >> (j % 5u * 6u);
  let field = j + 8u;
  let last = j == 7u;
  let at = select(header + 4u + field / 5u * 4u, start + superblocks * 16u + block / 2u * 4u, last);
  let minimum = scales[at] >> select(field % 5u * 6u, block % 2u * 16u, last);
  return vec2f(half_to_float(d & 0xffffu) * f32(scale & 63u), half_to_float(d >> 16u) * f32(minimum & 63u));
}
