// Philox-2x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011): the random word of
// (seed, position), the same on every device. worker/gpu/philox.ts is the same function.
#import parts/wide
fn philox(seed: u32, position: u32) -> u32 {
  var counter = vec2u(position, 0u);
  var key = seed;
  for (var i = 0u; i < 10u; i++) {
    let product = wide_product(0xd256d193u, counter.x);
    counter = vec2u(product.y ^ key ^ counter.y, product.x);
    key += 0x9e3779b9u;
  }
  return counter.x;
}
