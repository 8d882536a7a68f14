/** IEEE 754 half precision by bits, independent of what the machine offers. */

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** Bits of the nearest half (ties to even); beyond the largest half: infinity. */
export function toHalf(value: number): number {
  float[0] = value;
  const bits = word[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0x0fff + ((magnitude >>> 13) & 1)) >>> 13);
  // subnormal halves: 2^-24 is the last place, and adding 2^-1 in f32 rounds to exactly that place
  float[0] = Math.abs(value) + 0.5;
  return sign | ((word[0] ?? 0) - 0x3f000000);
}

export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
