// Eight weights in the low nibbles of two words' bytes, as parts/nibbles reads them: 2k at bit 4k of the low half, 2k + 1
// at bit 4k of the high half.
fn pack_nibbles(first: u32, second: u32) -> u32 {
  let a = first & 0x0f0f0f0fu;
  let b = second & 0x0f0f0f0fu;
  let low = a | (a >> 12u); // weights 0, 2 in byte 0; 1, 3 in byte 1
  let high = b | (b >> 12u);
  return (low & 0xffu) | ((high & 0xffu) << 8u) | ((low & 0xff00u) << 8u) | ((high & 0xff00u) << 16u);
}
// Of a unit, the four words of the 16 bytes at `byte` whose low nibbles are weights 0-15 and high nibbles 16-31.
fn pack_half_bytes(byte: u32) -> vec4<u32> {
  let a = word_at(byte);
  let b = word_at(byte + 4u);
  let c = word_at(byte + 8u);
  let d = word_at(byte + 12u);
  return vec4(pack_nibbles(a, b), pack_nibbles(c, d), pack_nibbles(a >> 4u, b >> 4u), pack_nibbles(c >> 4u, d >> 4u));
}
