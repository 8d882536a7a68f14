// A word of four bytes, whose low nibbles are weights 4j to 4j + 3 of a unit and high nibbles 16 weights later, as
// parts/nibbles reads it: bytes 0 and 1 lowest in the low and the high half, bytes 2 and 3 above them, all two bits round.
fn pack_nibbles(bytes: u32) -> u32 {
  let packed = (bytes & 0xff0000ffu) | ((bytes & 0xff00u) << 8u) | ((bytes >> 8u) & 0xff00u);
  return (packed << 2u) | (packed >> 30u);
}
// Of a unit, the four words of the 16 bytes at `byte` whose low nibbles are weights 0-15 and high nibbles 16-31.
fn pack_half_bytes(byte: u32) -> vec4<u32> {
  return vec4(
    pack_nibbles(word_at(byte)), pack_nibbles(word_at(byte + 4u)),
    pack_nibbles(word_at(byte + 8u)), pack_nibbles(word_at(byte + 12u)));
}
