import { type FileHandle, open } from 'node:fs/promises';
import { TENSOR_TYPES } from './dequantize.ts';

/**
 * The header of a GGUF file (v2, v3) for the reference side, sharing no code with worker/. Metadata is kept twice:
 * decoded for those who read it, and as its bytes for those who copy it.
 */
export interface GgufFile {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Each entry as it lies in the file: key, type, value. */
  readonly entries: ReadonlyMap<string, Uint8Array>;
  readonly tensors: readonly GgufTensor[];
  readonly alignment: number;
}
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

export interface GgufTensor {
  readonly name: string;
  /** ggml order: columns first. */
  readonly shape: readonly number[];
  readonly ggmlType: number;
  /** Absolute, bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** Number of weights. */
  readonly weights: number;
}

const FIRST_READ_BYTES = 1 << 20;
const DEFAULT_ALIGNMENT = 32;
const STRING = 8;
const ARRAY = 9;

/** Reads as much of a file as its header needs. */
export async function openGguf(path: string): Promise<GgufFile> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    for (let length = FIRST_READ_BYTES; ; length *= 4) {
      const bytes = await readRange(file, 0, Math.min(length, size));
      try {
        return parseGguf(bytes);
      } catch (error) {
        if (!(error instanceof RangeError) || length >= size) throw error;
      }
    }
  } finally {
    await file.close();
  }
}

/** Reads [start, end) whole. */
export async function readRange(file: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) throw new Error(`the file ends at byte ${start + done}, not at ${end}`);
    done += bytesRead;
  }
  return bytes;
}

/** @throws RangeError where the bytes end before the header does */
export function parseGguf(bytes: Uint8Array): GgufFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const take = (length: number) => {
    at += length;
    return at - length;
  };
  const u32 = () => view.getUint32(take(4), true);
  const u64 = () => Number(view.getBigUint64(take(8), true));
  const text = () => {
    const length = u64();
    if (at + length > bytes.length) throw new RangeError('a string ends after the bytes');
    const from = take(length);
    return new TextDecoder().decode(bytes.subarray(from, at));
  };
  const scalars: Record<number, () => GgufValue> = {
    0: () => view.getUint8(take(1)),
    1: () => view.getInt8(take(1)),
    2: () => view.getUint16(take(2), true),
    3: () => view.getInt16(take(2), true),
    4: u32,
    5: () => view.getInt32(take(4), true),
    6: () => view.getFloat32(take(4), true),
    7: () => view.getUint8(take(1)) !== 0,
    [STRING]: text,
    10: () => view.getBigUint64(take(8), true),
    11: () => view.getBigInt64(take(8), true),
    12: () => view.getFloat64(take(8), true),
  };
  const value = (type: number): GgufValue => {
    if (type === ARRAY) {
      const of = u32();
      return Array.from({ length: u64() }, () => value(of));
    }
    const read = scalars[type];
    if (!read) throw new Error(`GGUF value type ${type} does not exist`);
    return read();
  };

  if (u32() !== 0x46554747) throw new Error('not a GGUF file: its first four bytes are not "GGUF"');
  const version = u32();
  const tensorCount = u64();
  const entryCount = u64();
  const metadata = new Map<string, GgufValue>();
  const entries = new Map<string, Uint8Array>();
  for (let i = 0; i < entryCount; i++) {
    const start = at;
    const key = text();
    metadata.set(key, value(u32()));
    entries.set(key, bytes.slice(start, at));
  }
  const headers = Array.from({ length: tensorCount }, () => ({
    name: text(),
    shape: Array.from({ length: u32() }, u64),
    ggmlType: u32(),
    offset: u64(),
  }));
  const alignment = Number(metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT);
  const start = Math.ceil(at / alignment) * alignment;
  const tensors = headers.map((header) => {
    const type = TENSOR_TYPES.get(header.ggmlType);
    if (!type) throw new Error(`${header.name} is of ggml type ${header.ggmlType}, which the reference cannot read`);
    const weights = header.shape.reduce((product, size) => product * size, 1);
    const length = (weights / type.blockWeights) * type.blockBytes;
    return { ...header, offset: start + header.offset, bytes: length, weights };
  });
  return { version, metadata, entries, tensors, alignment };
}
