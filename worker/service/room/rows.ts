import type { Payloads } from '../../mesh/room/io.ts';
import type { PayloadType } from '../../mesh/wire/frame.ts';
import { fromHalves, toHalves } from '../../mesh/wire/halves.ts';

/** Hidden states, or what goes with tokens, as they travel: rows of equal width one after the other. */
export interface Rows {
  readonly type: Exclude<PayloadType, 'none'>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export const payloads: Payloads<Rows> = {
  bytes: ({ bytes }) => bytes.byteLength,
  slice({ type, bytes }, from, to, rows) {
    const width = bytes.byteLength / rows;
    return { type, bytes: bytes.subarray(from * width, to * width) };
  },
  join(parts) {
    const [first] = parts;
    if (first === undefined) throw new RangeError('Nothing was to be joined.');
    if (parts.length === 1) return first;
    const isOne = parts.every(({ type }) => type === first.type);
    const alike = isOne ? parts : parts.map(asFloats);
    const bytes = new Uint8Array(alike.reduce((sum, part) => sum + part.bytes.byteLength, 0));
    let at = 0;
    for (const part of alike) {
      bytes.set(part.bytes, at);
      at += part.bytes.byteLength;
    }
    return { type: isOne ? first.type : 'f32', bytes };
  },
};

/**
 * Hidden states for the wire: f16, or f32 where results have to be the same bit for bit, and for rows with a value that
 * f16 does not hold (some models have states above 65,504).
 */
export function packStates(values: Float32Array<ArrayBuffer>, type: 'f16' | 'f32'): Rows {
  if (type === 'f16') {
    const halves = toHalves(values);
    if (halves.every(isFiniteHalf)) return { type, bytes: bytesOf(halves) };
  }
  return { type: 'f32', bytes: bytesOf(values) };
}

function isFiniteHalf(bits: number): boolean {
  return (bits & 0x7c00) !== 0x7c00;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

function asFloats({ type, bytes }: Rows): Rows {
  if (type !== 'f16') return { type, bytes };
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return { type: 'f32', bytes: bytesOf(fromHalves(new Uint16Array(buffer, byteOffset, byteLength / 2))) };
}

/** Undefined for what is not `rows` rows of `width` states: its sender speaks of another model. */
export function unpackStates({ type, bytes }: Rows, rows: number, width: number): Float32Array | undefined {
  const elementBytes = type === 'f16' ? 2 : 4;
  if (type === 'u32' || bytes.byteLength !== rows * width * elementBytes) return undefined;
  const aligned = bytes.byteOffset % elementBytes === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = aligned;
  if (type === 'f16') return fromHalves(new Uint16Array(buffer, byteOffset, rows * width));
  return new Float32Array(buffer, byteOffset, rows * width);
}
