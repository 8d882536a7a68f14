/**
 * First word of Philox-2x32-10 for counter (position, 0) and key `seed`: the random number with which the token at
 * `position` is drawn, on whichever device (https://doi.org/10.1145/2063384.2063405). shaders/parts/philox.wgsl is the
 * same function.
 * @returns a whole number below 2^32
 */
export function philox(seed: number, position: number): number {
  return philox2x32(seed, position, 0)[0];
}

/** Both words of Philox-2x32-10. */
export function philox2x32(key: number, low: number, high: number): readonly [number, number] {
  let [k, x, y] = [key >>> 0, low >>> 0, high >>> 0];
  for (let round = 0; round < 10; round++) {
    const product = BigInt(x) * 0xd256d193n;
    [x, y] = [(Number(product >> 32n) ^ k ^ y) >>> 0, Number(product & 0xffffffffn)];
    k = (k + 0x9e3779b9) >>> 0;
  }
  return [x, y];
}
