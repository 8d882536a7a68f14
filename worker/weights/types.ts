/** What the rest of the worker knows of checkpoints: bytes, a header, tensors, formats. No GPU, no cache here. */

/** One file of a checkpoint, at one revision: the key under which its shards are cached. */
export type FileIdentity =
  | { readonly kind: 'hub'; readonly repository: string; readonly commit: string; readonly file: string }
  | { readonly kind: 'url'; readonly address: string; readonly etag: string }
  | { readonly kind: 'picked'; readonly name: string; readonly size: number; readonly headerSha256: string };

/**
 * A file that can be read by ranges. `read` makes ONE request for the whole run [start, end) and yields chunks of
 * any size as they come, each of which stands until the next is asked for; leaving the loop early cancels the
 * request. Throws RetryError, PersonError (401, 403),
 * ModelError (404, range refused, changed between requests, CORS).
 */
export interface ByteSource {
  readonly identity: FileIdentity;
  /** File name for people. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** SHA-256 that the origin publishes for the whole file (hex), where it does. */
  readonly sha256?: string;
  /** Address of the mirror that the bytes, and `sha256`, come from when it is not the identity's own origin. */
  readonly mirror?: string;
  read(start: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Reads [start, end) whole into memory: for headers and small pieces. */
export type RangeReader = (start: number, end: number, signal: AbortSignal) => Promise<Uint8Array>;

export type GgufScalar = number | bigint | boolean | string;
/**
 * Arrays: numbers come as typed arrays (or number[]/bigint arrays when 64-bit); strings as `StringTable`, which keeps
 * UTF-8 in one buffer, since a vocabulary of 150,000 JS strings costs tens of MiB.
 */
export type GgufArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint8Array
  | BigInt64Array
  | BigUint64Array
  | Uint16Array
  | Int16Array
  | Int8Array
  | StringTable;
export interface StringTable {
  readonly length: number;
  /** UTF-8 of entry i, a view. */
  bytes(index: number): Uint8Array;
  /** Decoded entry i (invalid UTF-8 becomes U+FFFD). */
  get(index: number): string;
}
export type Metadata = ReadonlyMap<string, GgufScalar | GgufArray>;

export type FormatName = 'f32' | 'f16' | 'bf16' | 'q8_0' | 'q4_0' | 'q4_1' | 'q4_k' | 'q6_k';

export interface TensorInfo {
  readonly name: string;
  /** Columns (the contiguous dimension, ggml ne[0]). */
  readonly cols: number;
  /** Rows: product of all other dimensions. */
  readonly rows: number;
  /** ggml order: ne[0] first. */
  readonly shape: readonly number[];
  readonly format: FormatName;
  /** Absolute offset in the file, and size, bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** A checkpoint's header, whatever its file format. Other readers (safetensors) give the same. */
export interface Checkpoint {
  readonly container: 'gguf';
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Bytes of the header: everything before the first tensor. */
  readonly headerBytes: number;
}

/** One aligned array that a tensor is split into on the GPU. */
export interface Plane {
  readonly name: 'quants' | 'scales' | 'high' | 'values';
  /** Bits of this plane a weight, padding aside. */
  readonly bits: number;
  /** Stride of a row of `cols` weights, bytes; a multiple of 4 (16 where shaders load vec4<u32>). */
  rowBytes(cols: number): number;
  /** Rows that lie side by side, so that a plane has a multiple of so many; 1 where it is not given. */
  readonly rowsTogether?: number;
}

/**
 * One tensor format: how blocks lie in the file, into which planes a kernel repacks them, and which WGSL snippet
 * reads a unit of 32 weights from those planes. Bits a weight stay what they were; float rows are padded with zeros to a
 * multiple of 32 columns.
 */
export interface WeightFormat {
  readonly name: FormatName;
  readonly ggmlType: number;
  /** Weights and bytes of one block in the file. */
  readonly blockWeights: number;
  readonly blockBytes: number;
  readonly planes: readonly Plane[];
  /**
   * Snippet in shaders/formats/ that binds the planes from binding 0 on and declares
   * `fn load_eight(row: u32, unit: u32, eight: u32) -> array<vec4f, 2>`: the weights 32*unit + 8*eight and the seven
   * after it of a row, in order. The kernel declares `fn row_units() -> u32`: the units of a row.
   */
  readonly snippet: string;
  /**
   * Kernel in shaders/repack/ that fills the planes, bound from binding 2 on, from whole rows as they lie in the file
   * (rows*cols/blockWeights*blockBytes bytes, at any address).
   */
  readonly repack: string;
}
