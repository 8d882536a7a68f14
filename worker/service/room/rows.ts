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
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.byteLength, 0));
    let at = 0;
    for (const part of parts) {
      if (part.type !== first.type) throw new TypeError(`Rows of ${part.type} came behind rows of ${first.type}.`);
      bytes.set(part.bytes, at);
      at += part.bytes.byteLength;
    }
    return { type: first.type, bytes };
  },
};

/** Hidden states for the wire: f16, or f32 where results have to be the same bit for bit. */
export function packStates(values: Float32Array<ArrayBuffer>, type: 'f16' | 'f32'): Rows {
  const packed = type === 'f16' ? toHalves(values) : values;
  return { type, bytes: new Uint8Array(packed.buffer as ArrayBuffer, packed.byteOffset, packed.byteLength) };
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
