/**
 * Values of GGUF blocks, written from the format's definition (ggml-common.h, ggml-quants.c) and sharing no code with
 * worker/: the two check each other. Every product below is exact in float64, so that the one rounding, to float32 at
 * the end, is the one of llama.cpp.
 */

export interface TensorType {
  readonly name: string;
  readonly ggmlType: number;
  readonly blockWeights: number;
  readonly blockBytes: number;
  /** Writes the weights of the block that starts at `at` to `out` from `to` on. */
  decode(block: DataView, at: number, out: Float32Array, to: number): void;
}

const F32: TensorType = {
  name: 'F32',
  ggmlType: 0,
  blockWeights: 1,
  blockBytes: 4,
  decode(block, at, out, to) {
    out[to] = block.getFloat32(at, true);
  },
};

const F16: TensorType = {
  name: 'F16',
  ggmlType: 1,
  blockWeights: 1,
  blockBytes: 2,
  decode(block, at, out, to) {
    out[to] = half(block, at);
  },
};

const BF16: TensorType = {
  name: 'BF16',
  ggmlType: 30,
  blockWeights: 1,
  blockBytes: 2,
  decode(block, at, out, to) {
    bits[0] = block.getUint16(at, true) << 16;
    out[to] = float[0] as number;
  },
};

const Q4_0: TensorType = {
  name: 'Q4_0',
  ggmlType: 2,
  blockWeights: 32,
  blockBytes: 18,
  decode(block, at, out, to) {
    const d = half(block, at);
    for (let j = 0; j < 16; j++) {
      const byte = block.getUint8(at + 2 + j);
      out[to + j] = d * ((byte & 15) - 8);
      out[to + 16 + j] = d * ((byte >> 4) - 8);
    }
  },
};

const Q4_1: TensorType = {
  name: 'Q4_1',
  ggmlType: 3,
  blockWeights: 32,
  blockBytes: 20,
  decode(block, at, out, to) {
    const d = half(block, at);
    const m = half(block, at + 2);
    for (let j = 0; j < 16; j++) {
      const byte = block.getUint8(at + 4 + j);
      out[to + j] = d * (byte & 15) + m;
      out[to + 16 + j] = d * (byte >> 4) + m;
    }
  },
};

const Q8_0: TensorType = {
  name: 'Q8_0',
  ggmlType: 8,
  blockWeights: 32,
  blockBytes: 34,
  decode(block, at, out, to) {
    const d = half(block, at);
    for (let j = 0; j < 32; j++) out[to + j] = d * block.getInt8(at + 2 + j);
  },
};

const Q4_K: TensorType = {
  name: 'Q4_K',
  ggmlType: 12,
  blockWeights: 256,
  blockBytes: 144,
  decode(block, at, out, to) {
    const d = half(block, at);
    const dmin = half(block, at + 2);
    const scales = at + 4;
    const quants = at + 16;
    for (let sub = 0; sub < 8; sub++) {
      let scale: number;
      let min: number;
      if (sub < 4) {
        scale = block.getUint8(scales + sub) & 63;
        min = block.getUint8(scales + sub + 4) & 63;
      } else {
        const low = block.getUint8(scales + sub + 4);
        scale = (low & 15) | ((block.getUint8(scales + sub - 4) >> 6) << 4);
        min = (low >> 4) | ((block.getUint8(scales + sub) >> 6) << 4);
      }
      for (let j = 0; j < 32; j++) {
        const byte = block.getUint8(quants + 32 * (sub >> 1) + j);
        const q = sub % 2 === 0 ? byte & 15 : byte >> 4;
        out[to + 32 * sub + j] = d * scale * q - dmin * min;
      }
    }
  },
};

const Q6_K: TensorType = {
  name: 'Q6_K',
  ggmlType: 14,
  blockWeights: 256,
  blockBytes: 210,
  decode(block, at, out, to) {
    const d = half(block, at + 208);
    for (let i = 0; i < 256; i++) {
      const side = i >> 7;
      const quarter = (i >> 5) & 3;
      const lane = i & 31;
      const lowByte = block.getUint8(at + 64 * side + 32 * (quarter & 1) + lane);
      const low = quarter < 2 ? lowByte & 15 : lowByte >> 4;
      const high = (block.getUint8(at + 128 + 32 * side + lane) >> (2 * quarter)) & 3;
      const scale = block.getInt8(at + 192 + (i >> 4));
      out[to + i] = d * scale * ((low | (high << 4)) - 32);
    }
  },
};

/** By ggml type id. */
export const TENSOR_TYPES: ReadonlyMap<number, TensorType> = new Map(
  [F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K].map((type) => [type.ggmlType, type]),
);

/**
 * Weights of whole blocks.
 * @throws RangeError where `blocks` is not a whole number of blocks, or the type is not one of the eight
 */
export function dequantize(ggmlType: number, blocks: Uint8Array): Float32Array<ArrayBuffer> {
  const type = TENSOR_TYPES.get(ggmlType);
  if (!type) throw new RangeError(`ggml tensor type ${ggmlType} is not one of ${[...TENSOR_TYPES.keys()].join(', ')}`);
  const count = blocks.length / type.blockBytes;
  if (!Number.isInteger(count)) {
    throw new RangeError(`${blocks.length} bytes are no whole number of ${type.name} blocks of ${type.blockBytes}`);
  }
  const out = new Float32Array(count * type.blockWeights);
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length);
  for (let i = 0; i < count; i++) type.decode(view, i * type.blockBytes, out, i * type.blockWeights);
  return out;
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

const HALVES = new Float32Array(1 << 16);
for (let value = 0; value < 1 << 16; value++) {
  const exponent = (value >> 10) & 31;
  const fraction = value & 1023;
  const sign = value >> 15 ? -1 : 1;
  if (exponent === 31) HALVES[value] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  else HALVES[value] = exponent ? sign * 2 ** (exponent - 25) * (1024 + fraction) : sign * 2 ** -24 * fraction;
}

/** The float16 at a byte offset. */
function half(view: DataView, at: number): number {
  return HALVES[view.getUint16(at, true)] as number;
}
