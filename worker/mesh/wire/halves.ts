/** The half floats in which rows travel. IEEE 754 binary16, rounded to the nearest, ties to even. */

interface HalfArray {
  readonly length: number;
  set(values: ArrayLike<number>): void;
}
type HalfArrayConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => HalfArray;

/** Chromium 135, Safari 18.2 and Firefox 129 have it; it converts some ten times as fast as the code below. */
const NativeHalves = (globalThis as { Float16Array?: HalfArrayConstructor }).Float16Array;

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** Rounds `values` to halves; returns their bits. What is too large becomes infinite. */
export function toHalves(values: Float32Array): Uint16Array {
  if (!NativeHalves) return toHalvesByHand(values);
  const bits = new Uint16Array(values.length);
  new NativeHalves(bits.buffer, 0, bits.length).set(values);
  return bits;
}

/** The values of halves, exactly. */
export function fromHalves(bits: Uint16Array): Float32Array {
  if (!NativeHalves) return fromHalvesByHand(bits);
  const values = new Float32Array(bits.length);
  values.set(new NativeHalves(bits.buffer, bits.byteOffset, bits.length) as unknown as ArrayLike<number>);
  return values;
}

/** As `toHalves`, where there is no Float16Array. */
export function toHalvesByHand(values: Float32Array): Uint16Array {
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = halfBits(values[i] as number);
  return bits;
}

/** As `fromHalves`, where there is no Float16Array. */
export function fromHalvesByHand(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = halfValue(bits[i] as number);
  return values;
}

function halfBits(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  // 65520 is half-way between the largest half and what would come next
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // below 2^-14 a half is a multiple of 2^-24; adding 0.5 leaves that many bits, rounded as floats are
    scratchBits[0] = magnitude;
    scratchFloat[0] = (scratchFloat[0] as number) + 0.5;
    return sign | ((scratchBits[0] as number) - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  scratchBits[0] = ((bits & 0x8000) << 16) | ((exponent + 112) << 23) | (fraction << 13);
  return scratchFloat[0] as number;
}
