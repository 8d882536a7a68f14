/**
 * A GGUF v3 writer for tests, written from the format's description alone: it shares no code with the reader that it
 * tests.
 */

/** Value types by their GGUF name; `array` holds elements of one type. */
export type WriterValue =
  | { readonly type: 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'f64'; readonly value: number }
  | { readonly type: 'u64' | 'i64'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | {
      readonly type: 'array';
      readonly of: ScalarType;
      readonly value: ArrayLike<number | bigint | boolean | string>;
    };
export type ScalarType = Exclude<WriterValue['type'], 'array'>;

/**
 * Metadata by key. Bare values are written as converters do: strings as string, booleans as bool, whole numbers as
 * u32 (i32 when negative), other numbers as f32, bigints as u64, string[] as array of strings, Float32Array,
 * Int32Array and Uint32Array as arrays of their type.
 */
export type WriterMetadata = Readonly<
  Record<
    string,
    WriterValue | string | boolean | number | bigint | readonly string[] | Float32Array | Int32Array | Uint32Array
  >
>;

export interface WriterTensor {
  readonly name: string;
  /** ggml order: ne[0] (columns) first. */
  readonly shape: readonly number[];
  /** ggml type id: 0 F32, 1 F16, 2 Q4_0, 3 Q4_1, 8 Q8_0, 12 Q4_K, 14 Q6_K, 30 BF16. */
  readonly ggmlType: number;
  /** Data as it lies in the file. */
  readonly data: Uint8Array;
}

export interface WriterInput {
  readonly metadata: WriterMetadata;
  readonly tensors: readonly WriterTensor[];
  readonly version?: 2 | 3;
}

const TYPE_IDS = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

const DEFAULT_ALIGNMENT = 32;

/** The whole file: header, padding, tensors in the given order, each padded to `general.alignment` (default 32). */
export function writeGguf(input: WriterInput): Uint8Array {
  const entries = Object.entries(input.metadata).map(([key, value]) => [key, explicit(value)] as const);
  const declared = entries.find(([key]) => key === 'general.alignment')?.[1];
  const alignment = declared && declared.type !== 'array' ? Number(declared.value) : DEFAULT_ALIGNMENT;

  const out = new Bytes();
  out.raw(new TextEncoder().encode('GGUF'));
  out.scalar('u32', input.version ?? 3);
  out.scalar('u64', BigInt(input.tensors.length));
  out.scalar('u64', BigInt(entries.length));
  for (const [key, value] of entries) {
    out.scalar('string', key);
    out.scalar('u32', TYPE_IDS[value.type]);
    if (value.type === 'array') {
      out.scalar('u32', TYPE_IDS[value.of]);
      out.scalar('u64', BigInt(value.value.length));
      for (let i = 0; i < value.value.length; i++) out.scalar(value.of, value.value[i] as never);
    } else {
      out.scalar(value.type, value.value);
    }
  }
  let offset = 0;
  for (const tensor of input.tensors) {
    out.scalar('string', tensor.name);
    out.scalar('u32', tensor.shape.length);
    for (const size of tensor.shape) out.scalar('u64', BigInt(size));
    out.scalar('u32', tensor.ggmlType);
    out.scalar('u64', BigInt(offset));
    offset += Math.ceil(tensor.data.length / alignment) * alignment;
  }
  for (const tensor of input.tensors) {
    out.pad(alignment);
    out.raw(tensor.data);
  }
  out.pad(alignment);
  return out.take();
}

function explicit(value: WriterMetadata[string]): WriterValue {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (typeof value === 'bigint') return { type: 'u64', value };
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return { type: 'f32', value };
    return { type: value < 0 ? 'i32' : 'u32', value };
  }
  if (value instanceof Float32Array) return { type: 'array', of: 'f32', value };
  if (value instanceof Int32Array) return { type: 'array', of: 'i32', value };
  if (value instanceof Uint32Array) return { type: 'array', of: 'u32', value };
  if (Array.isArray(value)) return { type: 'array', of: 'string', value: value as readonly string[] };
  return value as WriterValue;
}

/** A growing little-endian buffer. */
class Bytes {
  #buffer = new Uint8Array(1 << 16);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
  }

  pad(alignment: number): void {
    this.#reserve((alignment - (this.#length % alignment)) % alignment);
  }

  scalar(type: ScalarType, value: number | bigint | boolean | string): void {
    if (type === 'string') {
      const bytes = this.#encoder.encode(String(value));
      this.scalar('u64', BigInt(bytes.length));
      this.raw(bytes);
      return;
    }
    if (type === 'u64' || type === 'i64') {
      const at = this.#reserve(8);
      if (type === 'u64') this.#view.setBigUint64(at, BigInt(value), true);
      else this.#view.setBigInt64(at, BigInt(value), true);
      return;
    }
    const number = Number(value);
    if (type === 'u8' || type === 'i8' || type === 'bool') this.#view.setUint8(this.#reserve(1), number & 255);
    else if (type === 'u16' || type === 'i16') this.#view.setUint16(this.#reserve(2), number & 0xffff, true);
    else if (type === 'u32') this.#view.setUint32(this.#reserve(4), number, true);
    else if (type === 'i32') this.#view.setInt32(this.#reserve(4), number, true);
    else if (type === 'f32') this.#view.setFloat32(this.#reserve(4), number, true);
    else this.#view.setFloat64(this.#reserve(8), number, true);
  }

  take(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  /** Makes room for `bytes` zero bytes and returns where they start. */
  #reserve(bytes: number): number {
    const at = this.#length;
    const needed = at + bytes;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#length = needed;
    return at;
  }
}
