import { ModelError } from '../errors.ts';
import type { RangeReader } from './types.ts';

const MIB = 1024 * 1024;
/** The first piece holds a small model's header whole; pieces double, so that a large vocabulary takes few reads. */
const FIRST_PIECE_BYTES = MIB / 4;
const LARGEST_PIECE_BYTES = 4 * MIB;
/** Vocabularies of 260,000 tokens with merges make headers of 20 MiB; more than this is no header. */
const MAX_HEADER_BYTES = 96 * MIB;
const MAX_STRING_BYTES = 32 * MIB;

/**
 * Walks a file from its start, little-endian, holding only the piece at hand. Methods that return values need their
 * bytes made present by `need` before. Lengths found in the file are checked against what the file can hold before
 * anything is read or allocated.
 */
export class HeaderCursor {
  readonly #read: RangeReader;
  readonly #size: number;
  readonly #signal: AbortSignal;
  #window = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  /** Where the window starts in the file. */
  #start = 0;
  /** The next byte in the window. */
  #at = 0;
  #pieceBytes = FIRST_PIECE_BYTES;

  constructor(read: RangeReader, size: number, signal: AbortSignal) {
    this.#read = read;
    this.#size = size;
    this.#signal = signal;
  }

  /** Bytes walked so far. */
  get position(): number {
    return this.#start + this.#at;
  }

  /** Bytes of the file not walked yet. */
  get remaining(): number {
    return this.#size - this.position;
  }

  /** Whether `bytes` can be read without `need`. */
  has(bytes: number): boolean {
    return this.#window.length - this.#at >= bytes;
  }

  /** Makes the next `bytes` present. Throws ModelError when the file ends before. */
  async need(bytes: number): Promise<void> {
    if (this.has(bytes)) return;
    const end = this.position + bytes;
    if (end > this.#size) {
      throw new ModelError(
        `The file is truncated: its header needs at least ${end} bytes, the file has ${this.#size}.`,
        {
          neededBytes: end,
          hasBytes: this.#size,
        },
      );
    }
    if (end > MAX_HEADER_BYTES) {
      throw new ModelError(`The header is longer than ${MAX_HEADER_BYTES} bytes, the most that Shoal reads.`);
    }
    const have = this.#window.length - this.#at;
    const from = this.position + have;
    const to = Math.min(this.#size, from + Math.max(bytes - have, this.#pieceBytes));
    const piece = await this.#read(from, to, this.#signal);
    if (piece.length < to - from) {
      throw new ModelError(`The file is truncated: ${to} bytes were expected, ${from + piece.length} came.`, {
        neededBytes: to,
        hasBytes: from + piece.length,
      });
    }
    this.#pieceBytes = Math.min(LARGEST_PIECE_BYTES, this.#pieceBytes * 2);
    const window = new Uint8Array(have + (to - from));
    window.set(this.#window.subarray(this.#at));
    window.set(piece.subarray(0, to - from), have);
    this.#start = from - have;
    this.#at = 0;
    this.#window = window;
    this.#view = new DataView(window.buffer);
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }
  i8(): number {
    return this.#view.getInt8(this.#step(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#step(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#step(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#step(4), true);
  }
  f32(): number {
    return this.#view.getFloat32(this.#step(4), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#step(8), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#step(8), true);
  }
  i64(): bigint {
    return this.#view.getBigInt64(this.#step(8), true);
  }

  /** The next `bytes`, a view that the next `need` may leave behind: copy what is kept. */
  view(bytes: number): Uint8Array {
    const at = this.#step(bytes);
    return this.#window.subarray(at, at + bytes);
  }

  /**
   * A count of things that take at least `bytesEach` in the file, believed only if so many bytes are left in it and
   * in what a header may hold.
   */
  async count(what: string, bytesEach: number, most: number): Promise<number> {
    await this.need(8);
    const count = this.u64();
    if (count > BigInt(most)) {
      throw new ModelError(`The header is damaged: it claims ${count} ${what}, at most ${most} are possible.`);
    }
    const room = Math.min(this.remaining, MAX_HEADER_BYTES - this.position);
    if (Number(count) * bytesEach > room) {
      const needed = this.position + Number(count) * bytesEach;
      throw new ModelError(
        `The header is damaged or the file truncated: ${count} ${what} need ${needed} bytes, the file has ${this.#size}.`,
        { neededBytes: needed, hasBytes: this.#size },
      );
    }
    return Number(count);
  }

  /** The UTF-8 of a length-prefixed string, a view as from `view`. */
  async stringBytes(what: string, most = MAX_STRING_BYTES): Promise<Uint8Array> {
    const length = await this.count(`bytes of ${what}`, 1, most);
    if (!this.has(length)) await this.need(length);
    return this.view(length);
  }

  #step(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
}
