// What the repacking kernels share: rows of a tensor as they lie in the file, and where they go. Byte b of the file is at
// b modulo the ring, so that a row whose start came earlier than its end is whole, wherever it was cut.
#import parts/scale_bits
struct Rows {
  start: u32, // of the first row, bytes in the ring
  count: u32,
  first: u32, // where the first row goes
  cols: u32,
}
@group(0) @binding(0) var<storage, read> ring: array<u32>;
@group(0) @binding(1) var<storage, read> rows: Rows;

const RING_BYTES: u32 = $ringBytes;

// The four bytes from `byte` on: blocks of 18, 34 and 210 bytes are aligned to nothing.
fn word_at(byte: u32) -> u32 {
  let at = (byte % RING_BYTES) / 4u;
  let shift = (byte % 4u) * 8u;
  let low = ring[at] >> shift;
  let high = ring[(at + 1u) % (RING_BYTES / 4u)] << ((32u - shift) % 32u);
  return select(low | high, low, shift == 0u);
}
// The scale at `byte`, and the one `stride` bytes behind it where it is of the same row, as a word of a plane of scales.
fn scales_at(byte: u32, stride: u32, both: bool) -> u32 {
  return scale_at(byte) | select(0u, scale_at(byte + stride) << 16u, both);
}
fn scale_at(byte: u32) -> u32 {
  return scale_bits(word_at(byte) & 0xffffu);
}
