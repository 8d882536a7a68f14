import { ModelError } from '../errors.ts';
import type { Metadata } from '../weights/types.ts';
import { readNumbers, readStrings } from './metadata.ts';

/** `tokenizer.ggml.token_type`, the values of the GGUF specification. */
export const TokenType = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

const encoder = new TextEncoder();

/**
 * Token texts in one UTF-8 buffer, found by an open-addressing hash table: about 30 bytes a token, where a Map of
 * strings takes over 150.
 */
export class Vocabulary {
  readonly size: number;
  /** Longest text, bytes. */
  readonly maxTextBytes: number;
  readonly types: Uint8Array;
  readonly #texts: Uint8Array;
  readonly #offsets: Uint32Array;
  /** Token id + 1, or 0 where free. */
  readonly #table: Uint32Array;
  /** Differs each time, so that no file can be made whose texts all meet in one slot. */
  readonly #seed = (Math.random() * 0x1_0000_0000) >>> 0;

  constructor(metadata: Metadata) {
    const tokens = readStrings(metadata, 'tokenizer.ggml.tokens');
    if (!tokens || tokens.length === 0) {
      throw new ModelError('This file has no vocabulary (tokenizer.ggml.tokens). Choose a complete model file.');
    }
    this.size = tokens.length;
    const types = readNumbers(metadata, 'tokenizer.ggml.token_type', this.size);
    this.types = new Uint8Array(this.size).fill(TokenType.normal);
    if (types) for (let id = 0; id < this.size; id++) this.types[id] = types[id] as number;

    this.#offsets = new Uint32Array(this.size + 1);
    for (let id = 0; id < this.size; id++) {
      const length = tokens.bytes(id).length || encoder.encode(nameOfEmpty(id)).length;
      this.#offsets[id + 1] = (this.#offsets[id] as number) + length;
    }
    this.#texts = new Uint8Array(this.#offsets[this.size] as number);
    this.#table = new Uint32Array(2 ** Math.ceil(Math.log2(this.size * 2 + 2)));
    let longest = 0;
    for (let id = 0; id < this.size; id++) {
      const text = tokens.bytes(id);
      const written = text.length > 0 ? text : encoder.encode(nameOfEmpty(id));
      this.#texts.set(written, this.#offsets[id] as number);
      longest = Math.max(longest, written.length);
      this.#insert(id);
    }
    this.maxTextBytes = longest;
  }

  /** UTF-8 text of a token, a view. */
  text(id: number): Uint8Array {
    return this.#texts.subarray(this.#offsets[id], this.#offsets[id + 1]);
  }

  /** Token whose text is `bytes[start, end)`, or -1. */
  find(bytes: Uint8Array, start = 0, end = bytes.length): number {
    const length = end - start;
    if (length === 0 || length > this.maxTextBytes) return -1;
    const mask = this.#table.length - 1;
    for (let slot = this.#hash(bytes, start, end) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#table[slot] as number;
      if (entry === 0) return -1;
      if (this.#matches(entry - 1, bytes, start, length)) return entry - 1;
    }
  }

  /** Token whose text is `text`, or undefined. */
  token(text: string): number | undefined {
    const id = this.find(encoder.encode(text));
    return id < 0 ? undefined : id;
  }

  /** Of two tokens with one text the later is the one that text becomes, as in llama.cpp. */
  #insert(id: number): void {
    const start = this.#offsets[id] as number;
    const end = this.#offsets[id + 1] as number;
    const mask = this.#table.length - 1;
    let slot = this.#hash(this.#texts, start, end) & mask;
    for (;;) {
      const entry = this.#table[slot] as number;
      if (entry === 0 || this.#matches(entry - 1, this.#texts, start, end - start)) break;
      slot = (slot + 1) & mask;
    }
    this.#table[slot] = id + 1;
  }

  #matches(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    const offset = this.#offsets[id] as number;
    if ((this.#offsets[id + 1] as number) - offset !== length) return false;
    for (let i = 0; i < length; i++) if (this.#texts[offset + i] !== bytes[start + i]) return false;
    return true;
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed;
    for (let i = start; i < end; i++) {
      hash = Math.imul(hash ^ (bytes[i] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return mix(hash);
  }
}

/** The last step of MurmurHash3: spreads a 32-bit value over all bits. */
export function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** What llama.cpp calls an empty entry, so that ids stay apart. */
function nameOfEmpty(id: number): string {
  return `[EMPTY_${id}]`;
}
