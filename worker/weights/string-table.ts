import type { StringTable } from './types.ts';

const START_BYTES = 4096;
const START_ENTRIES = 256;

/** Collects strings of a header into one UTF-8 buffer; memory grows with what really came, never with a count. */
export class StringTableBuilder {
  #text = new Uint8Array(START_BYTES);
  #ends = new Uint32Array(START_ENTRIES);
  #length = 0;
  #used = 0;

  /** Appends a copy of `utf8`. */
  add(utf8: Uint8Array): void {
    const end = this.#used + utf8.length;
    if (end > this.#text.length) this.#text = grown(this.#text, new Uint8Array(Math.max(end, this.#text.length * 2)));
    if (this.#length === this.#ends.length) {
      this.#ends = grown(this.#ends, new Uint32Array(this.#ends.length * 2));
    }
    this.#text.set(utf8, this.#used);
    this.#used = end;
    this.#ends[this.#length++] = end;
  }

  /** The table, cut to size; the builder is not to be used after. */
  build(): StringTable {
    return new PackedStrings(this.#text.slice(0, this.#used), this.#ends.slice(0, this.#length));
  }
}

function grown<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Strings end to end in one buffer; entry i ends at `ends[i]` and starts where entry i - 1 ends. */
class PackedStrings implements StringTable {
  readonly #text: Uint8Array;
  readonly #ends: Uint32Array;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(text: Uint8Array, ends: Uint32Array) {
    this.#text = text;
    this.#ends = ends;
  }

  get length(): number {
    return this.#ends.length;
  }

  bytes(index: number): Uint8Array {
    const end = this.#ends[index];
    if (end === undefined) throw new RangeError(`String ${index} of ${this.#ends.length}.`);
    return this.#text.subarray(index === 0 ? 0 : this.#ends[index - 1], end);
  }

  get(index: number): string {
    return this.#decoder.decode(this.bytes(index));
  }
}

/** A table of JS strings, for tokenizers built without a file. */
export function stringTable(strings: Iterable<string>): StringTable {
  const builder = new StringTableBuilder();
  const encoder = new TextEncoder();
  for (const text of strings) builder.add(encoder.encode(text));
  return builder.build();
}
