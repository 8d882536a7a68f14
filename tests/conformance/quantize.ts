/**
 * Simple encoders of every tensor type: each weight goes to the nearest value of a plain choice of scale. Any valid
 * block will do here, since the reference reads the same blocks.
 */

export const TYPES = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q4_K', 'Q6_K'] as const;
export type TypeName = (typeof TYPES)[number];

interface Encoder {
  readonly ggmlType: number;
  readonly blockWeights: number;
  readonly blockBytes: number;
  /** Encodes the block of weights at `from` to the bytes at `at`. */
  encode(values: Float32Array, from: number, block: DataView, at: number): void;
}

const ENCODERS: Readonly<Record<TypeName, Encoder>> = {
  F32: {
    ggmlType: 0,
    blockWeights: 1,
    blockBytes: 4,
    encode: (values, from, block, at) => block.setFloat32(at, values[from] as number, true),
  },
  F16: {
    ggmlType: 1,
    blockWeights: 1,
    blockBytes: 2,
    encode: (values, from, block, at) => block.setUint16(at, toHalf(values[from] as number), true),
  },
  BF16: {
    ggmlType: 30,
    blockWeights: 1,
    blockBytes: 2,
    encode(values, from, block, at) {
      float[0] = values[from] as number;
      const rounded = (bits[0] as number) + 0x7fff + (((bits[0] as number) >>> 16) & 1);
      block.setUint16(at, rounded >>> 16, true);
    },
  },
  Q8_0: {
    ggmlType: 8,
    blockWeights: 32,
    blockBytes: 34,
    encode(values, from, block, at) {
      const scale = putHalf(block, at, largest(values, from, 32) / 127);
      for (let j = 0; j < 32; j++) block.setInt8(at + 2 + j, level(values[from + j] as number, scale, -127, 127));
    },
  },
  Q4_0: {
    ggmlType: 2,
    blockWeights: 32,
    blockBytes: 18,
    encode(values, from, block, at) {
      const extreme = largestSigned(values, from, 32);
      const scale = putHalf(block, at, extreme / -8);
      putNibbles(block, at + 2, (j) => level(values[from + j] as number, scale, -8, 7) + 8);
    },
  },
  Q4_1: {
    ggmlType: 3,
    blockWeights: 32,
    blockBytes: 20,
    encode(values, from, block, at) {
      const { min, max } = range(values, from, 32);
      const scale = putHalf(block, at, (max - min) / 15);
      const offset = putHalf(block, at + 2, min);
      putNibbles(block, at + 4, (j) => level((values[from + j] as number) - offset, scale, 0, 15));
    },
  },
  Q4_K: {
    ggmlType: 12,
    blockWeights: 256,
    blockBytes: 144,
    encode(values, from, block, at) {
      const ranges = Array.from({ length: 8 }, (_, sub) => range(values, from + 32 * sub, 32));
      const mins = ranges.map(({ min }) => Math.max(0, -min));
      const scales = ranges.map(({ max }, sub) => (max + (mins[sub] as number)) / 15);
      const d = putHalf(block, at, Math.max(...scales) / 63);
      const dmin = putHalf(block, at + 2, Math.max(...mins) / 63);
      const scale = scales.map((value) => level(value, d, 0, 63));
      const min = mins.map((value) => level(value, dmin, 0, 63));
      for (let sub = 0; sub < 4; sub++) {
        const [s, m, s4, m4] = [scale[sub], min[sub], scale[sub + 4], min[sub + 4]] as [number, number, number, number];
        block.setUint8(at + 4 + sub, s | ((s4 >> 4) << 6));
        block.setUint8(at + 8 + sub, m | ((m4 >> 4) << 6));
        block.setUint8(at + 12 + sub, (s4 & 15) | ((m4 & 15) << 4));
      }
      const quant = (sub: number, j: number) => {
        const shifted = (values[from + 32 * sub + j] as number) + dmin * (min[sub] as number);
        return level(shifted, d * (scale[sub] as number), 0, 15);
      };
      for (let pair = 0; pair < 4; pair++) {
        for (let j = 0; j < 32; j++) {
          block.setUint8(at + 16 + 32 * pair + j, quant(2 * pair, j) | (quant(2 * pair + 1, j) << 4));
        }
      }
    },
  },
  Q6_K: {
    ggmlType: 14,
    blockWeights: 256,
    blockBytes: 210,
    encode(values, from, block, at) {
      const wanted = Array.from({ length: 16 }, (_, sub) => largestSigned(values, from + 16 * sub, 16) / -32);
      const d = putHalf(block, at + 208, Math.max(...wanted.map(Math.abs)) / 127);
      const scales = wanted.map((scale) => level(scale, d, -128, 127));
      for (let sub = 0; sub < 16; sub++) block.setInt8(at + 192 + sub, scales[sub] as number);
      const quants = Uint8Array.from({ length: 256 }, (_, i) => {
        return level(values[from + i] as number, d * (scales[i >> 4] as number), -32, 31) + 32;
      });
      const q = (side: number, quarter: number, lane: number) => quants[128 * side + 32 * quarter + lane] as number;
      for (let side = 0; side < 2; side++) {
        for (let lane = 0; lane < 32; lane++) {
          const [a, b, c, e] = [q(side, 0, lane), q(side, 1, lane), q(side, 2, lane), q(side, 3, lane)];
          block.setUint8(at + 64 * side + lane, (a & 15) | ((c & 15) << 4));
          block.setUint8(at + 64 * side + 32 + lane, (b & 15) | ((e & 15) << 4));
          block.setUint8(at + 128 + 32 * side + lane, (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((e >> 4) << 6));
        }
      }
    },
  },
};

export const ggmlTypeOf = (type: TypeName): number => ENCODERS[type].ggmlType;

/** Weights a block of the type: rows must be whole blocks. */
export const blockWeightsOf = (type: TypeName): number => ENCODERS[type].blockWeights;

/** @throws RangeError where the weights are no whole number of blocks */
export function quantize(type: TypeName, values: Float32Array): Uint8Array {
  const { blockWeights, blockBytes, encode } = ENCODERS[type];
  const blocks = values.length / blockWeights;
  if (!Number.isInteger(blocks)) throw new RangeError(`${values.length} weights are no whole number of ${type} blocks`);
  const out = new Uint8Array(blocks * blockBytes);
  const view = new DataView(out.buffer);
  for (let i = 0; i < blocks; i++) encode(values, i * blockWeights, view, i * blockBytes);
  return out;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest float16, ties to even. */
function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const steps = size / 2 ** (exponent - 10);
  let whole = Math.floor(steps);
  const rest = steps - whole;
  if (rest > 0.5 || (rest === 0.5 && whole % 2 === 1)) whole++;
  return sign | (whole < 1024 ? whole : whole - 1024 + ((exponent + 15) << 10));
}

/** Writes a float16 and returns the value that it holds. */
function putHalf(block: DataView, at: number, value: number): number {
  const half = toHalf(value);
  block.setUint16(at, half, true);
  const exponent = (half >> 10) & 31;
  const size = exponent ? 2 ** (exponent - 25) * (1024 + (half & 1023)) : 2 ** -24 * (half & 1023);
  return half & 0x8000 ? -size : size;
}

function putNibbles(block: DataView, at: number, quant: (j: number) => number): void {
  for (let j = 0; j < 16; j++) block.setUint8(at + j, quant(j) | (quant(j + 16) << 4));
}

function level(value: number, scale: number, lowest: number, highest: number): number {
  return scale === 0 ? 0 : Math.min(highest, Math.max(lowest, Math.round(value / scale)));
}

function range(values: Float32Array, from: number, count: number): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = from; i < from + count; i++) {
    const value = values[i] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

function largest(values: Float32Array, from: number, count: number): number {
  return Math.abs(largestSigned(values, from, count));
}

function largestSigned(values: Float32Array, from: number, count: number): number {
  const { min, max } = range(values, from, count);
  return -min > max ? min : max;
}
