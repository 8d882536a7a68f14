// Words of nibbles (parts/nibbles), their two bits back: each byte has two nibbles.
fn straight(words: vec2<u32>) -> vec2<u32> {
  return (words >> vec2(2u)) | (words << vec2(30u));
}
