import { ModelError } from '../errors.ts';
import { ggmlType, SUPPORTED_TYPES } from './ggml-types.ts';
import { HeaderCursor } from './header-cursor.ts';
import { StringTableBuilder } from './string-table.ts';
import type { Checkpoint, GgufArray, GgufScalar, RangeReader, TensorInfo } from './types.ts';

const DEFAULT_ALIGNMENT = 32;
const MAX_ALIGNMENT = 1 << 20;
const MAX_METADATA = 65_536;
const MAX_TENSORS = 1 << 20;
const MAX_KEY_BYTES = 65_535;
const MAX_NAME_BYTES = 1024;
const MAX_DIMENSIONS = 4;
/** Number arrays are one entry a token; four million of four bytes are far beyond any vocabulary. */
const MAX_ARRAY_BYTES = 16 * 1024 * 1024;
const MAX_STRINGS = 4 * 1024 * 1024;
const COPY_BYTES = 1024 * 1024;

/** Value types of GGUF metadata, by id. */
const STRING = 8;
const ARRAY = 9;
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8] as const;

/**
 * Reads a GGUF header, v2 or v3, from the start of a file of `size` bytes, in pieces that grow and end shortly after
 * the header. 64-bit scalars come as bigint. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 *
 * Throws ModelError for what is not GGUF, is big-endian, truncated, damaged, in parts, or holds a tensor type that
 * Shoal does not compute with; and whatever `read` throws.
 */
export async function readGgufHeader(read: RangeReader, size: number, signal: AbortSignal): Promise<Checkpoint> {
  const cursor = new HeaderCursor(read, size, signal);
  await readVersion(cursor, size);
  const tensorCount = await cursor.count('tensors', 8 + 4 + 8 + 4 + 8, MAX_TENSORS);
  const metadataCount = await cursor.count('metadata entries', 8 + 4 + 1, MAX_METADATA);

  const metadata = new Map<string, GgufScalar | GgufArray>();
  let alignment = DEFAULT_ALIGNMENT;
  for (let i = 0; i < metadataCount; i++) {
    signal.throwIfAborted();
    const key = text(await cursor.stringBytes('a metadata key', MAX_KEY_BYTES));
    if (metadata.has(key)) throw new ModelError(`The header is damaged: the metadata key ${shown(key)} comes twice.`);
    await cursor.need(4);
    const type = cursor.u32();
    metadata.set(key, await readValue(cursor, key, type));
    if (key === 'general.alignment') alignment = checkedAlignment(type, metadata.get(key));
  }
  const parts = metadata.get('split.count');
  if (typeof parts === 'number' && parts > 1) {
    throw new ModelError(
      `This file is one of ${parts} parts of a model; Shoal reads models of one file. Choose another.`,
    );
  }

  const found: Located[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    signal.throwIfAborted();
    const tensor = await readTensor(cursor);
    if (names.has(tensor.name)) {
      throw new ModelError(`The header is damaged: the tensor ${shown(tensor.name)} comes twice.`);
    }
    if (tensor.offset % BigInt(alignment) !== 0n) {
      throw new ModelError(
        `The header is damaged: the tensor ${shown(tensor.name)} starts at ${tensor.offset}, not a multiple of ${alignment}.`,
      );
    }
    names.add(tensor.name);
    found.push(tensor);
  }
  const headerEnd = cursor.position;
  const dataStart = Math.ceil(headerEnd / alignment) * alignment;
  checkPlaces(found, dataStart, size);
  const tensors = new Map<string, TensorInfo>();
  for (const { offset, ...rest } of found) tensors.set(rest.name, { ...rest, offset: dataStart + Number(offset) });
  return { container: 'gguf', metadata, tensors, headerBytes: Math.min(dataStart, size) };
}

/** A tensor whose offset still counts from the start of the data, unchecked. */
type Located = Omit<TensorInfo, 'offset'> & { readonly offset: bigint };

async function readVersion(cursor: HeaderCursor, size: number): Promise<void> {
  if (size < 4) throw new ModelError(`This is no GGUF file: it has ${size} bytes.`);
  await cursor.need(4);
  const magic = text(cursor.view(4));
  if (magic !== 'GGUF') throw new ModelError(`This is no GGUF file: it starts with ${shown(magic)}${guess(magic)}.`);
  await cursor.need(4);
  const version = cursor.u32();
  if (version !== 0 && (version & 0xffff) === 0) {
    throw new ModelError('This GGUF file is big-endian; Shoal reads little-endian ones. Choose another file.');
  }
  if (version !== 2 && version !== 3) {
    throw new ModelError(`This GGUF file has version ${version}; Shoal reads versions 2 and 3. Choose another file.`);
  }
}

function guess(magic: string): string {
  if (magic.startsWith('<')) return ', like a web page: the address leads to a page about the file, not to the file';
  if (magic === 'vers') return ', like a Git LFS pointer: the file itself was not downloaded';
  if (magic === 'ggjt' || magic === 'tjgg' || magic === 'lmgg') return ', a format that llama.cpp left in 2023';
  if (magic.startsWith('PK')) return ', like a ZIP archive';
  return '';
}

async function readValue(cursor: HeaderCursor, key: string, type: number): Promise<GgufScalar | GgufArray> {
  if (type === STRING) return text(await cursor.stringBytes(`the value of ${shown(key)}`));
  if (type === ARRAY) return readArray(cursor, key);
  const bytes = VALUE_BYTES[type];
  if (bytes === undefined) throw new ModelError(`The header is damaged: ${shown(key)} has the unknown type ${type}.`);
  await cursor.need(bytes);
  switch (type) {
    case 0:
      return cursor.u8();
    case 1:
      return cursor.i8();
    case 2:
      return cursor.u16();
    case 3:
      return cursor.i16();
    case 4:
      return cursor.u32();
    case 5:
      return cursor.i32();
    case 6:
      return cursor.f32();
    case 7:
      return cursor.u8() !== 0;
    case 10:
      return cursor.u64();
    case 11:
      return cursor.i64();
    default:
      return cursor.f64();
  }
}

async function readArray(cursor: HeaderCursor, key: string): Promise<GgufArray> {
  await cursor.need(4);
  const type = cursor.u32();
  const bytes = VALUE_BYTES[type];
  if (bytes === undefined) throw new ModelError(`The header is damaged: ${shown(key)} is an array of type ${type}.`);
  if (type === ARRAY) {
    throw new ModelError(`The metadata ${shown(key)} is an array of arrays, which Shoal does not read.`);
  }
  if (type === STRING) {
    const count = await cursor.count(`strings in ${shown(key)}`, bytes, MAX_STRINGS);
    const table = new StringTableBuilder();
    for (let i = 0; i < count; i++) table.add(await cursor.stringBytes(`a string of ${shown(key)}`));
    return table.build();
  }
  const count = await cursor.count(`values in ${shown(key)}`, bytes, MAX_ARRAY_BYTES / bytes);
  const raw = new Uint8Array(count * bytes);
  for (let at = 0; at < raw.length; at += COPY_BYTES) {
    const length = Math.min(COPY_BYTES, raw.length - at);
    await cursor.need(length);
    raw.set(cursor.view(length), at);
  }
  return typed(raw.buffer, type);
}

/** Every platform with WebGPU is little-endian, as the file is. */
function typed(buffer: ArrayBuffer, type: number): GgufArray {
  switch (type) {
    case 1:
      return new Int8Array(buffer);
    case 2:
      return new Uint16Array(buffer);
    case 3:
      return new Int16Array(buffer);
    case 4:
      return new Uint32Array(buffer);
    case 5:
      return new Int32Array(buffer);
    case 6:
      return new Float32Array(buffer);
    case 10:
      return new BigUint64Array(buffer);
    case 11:
      return new BigInt64Array(buffer);
    case 12:
      return new Float64Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}

function checkedAlignment(type: number, value: unknown): number {
  const good = type === 4 && typeof value === 'number' && value > 0 && value <= MAX_ALIGNMENT;
  if (!good || !Number.isInteger(Math.log2(value))) {
    throw new ModelError(
      `The header is damaged: general.alignment is ${shown(String(value))}, not a power of two up to ${MAX_ALIGNMENT}.`,
    );
  }
  return value;
}

async function readTensor(cursor: HeaderCursor): Promise<Located> {
  const name = text(await cursor.stringBytes('a tensor name', MAX_NAME_BYTES));
  await cursor.need(4);
  const dimensions = cursor.u32();
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw new ModelError(
      `The tensor ${shown(name)} has ${dimensions} dimensions; 1 to ${MAX_DIMENSIONS} are possible.`,
    );
  }
  await cursor.need(8 * dimensions + 4 + 8);
  const sizes: bigint[] = [];
  for (let i = 0; i < dimensions; i++) sizes.push(cursor.u64());
  const id = cursor.u32();
  const offset = cursor.u64();

  const type = ggmlType(id);
  if (!type?.format) {
    const named = type ? `type ${type.name}` : `unknown type ${id}`;
    throw new ModelError(
      `The tensor ${shown(name)} has ${named}, which Shoal does not compute with. Supported: ${SUPPORTED_TYPES}. Choose another quantization of this model.`,
      { tensor: name.slice(0, 100), tensorType: type?.name ?? String(id) },
    );
  }
  const weights = sizes.reduce((product, next) => product * next, 1n);
  const cols = sizes[0] ?? 0n;
  if (weights === 0n || weights > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ModelError(`The tensor ${shown(name)} has the impossible shape ${sizes.join(' x ')}.`);
  }
  if (cols % BigInt(type.blockWeights) !== 0n) {
    throw new ModelError(
      `The tensor ${shown(name)} has rows of ${cols} weights; ${type.name} needs a multiple of ${type.blockWeights}.`,
    );
  }
  const bytes = (weights / BigInt(type.blockWeights)) * BigInt(type.blockBytes);
  return {
    name,
    cols: Number(cols),
    rows: Number(weights / cols),
    shape: sizes.map(Number),
    format: type.format,
    offset,
    bytes: Number(bytes),
  };
}

/** Throws ModelError unless all tensors lie inside the file, none over another. */
function checkPlaces(tensors: readonly Located[], dataStart: number, size: number): void {
  const inOrder = [...tensors].sort((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0));
  let end = 0n;
  let before = '';
  for (const { name, offset, bytes } of inOrder) {
    if (offset < end) {
      throw new ModelError(`The header is damaged: the tensors ${shown(before)} and ${shown(name)} overlap.`);
    }
    end = offset + BigInt(bytes);
    before = name;
  }
  const needed = BigInt(dataStart) + end;
  if (tensors.length > 0 && needed > BigInt(size)) {
    throw new ModelError(
      `The file is truncated: it needs ${needed} bytes, has ${size}. Download it again, or choose another.`,
      { neededBytes: Number(needed), hasBytes: size },
    );
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Text from a file, short enough for a message and without control characters. */
function shown(name: string): string {
  const short = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  return `"${short.replace(/[\p{Cc}\p{Cf}\uFFFD"]/gu, '?')}"`;
}
