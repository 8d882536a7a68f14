import { ModelError } from '../errors.ts';
import type { StringTable } from '../weights/types.ts';
import { MAX_RANK, type MergeRules, type Pair } from './merge.ts';
import { mix, type Vocabulary } from './vocabulary.ts';

const SPACE = 0x20;

/**
 * The merges of a BPE vocabulary: pairs of symbols to rank and result, in typed arrays (about 20 bytes a merge). A
 * symbol is a token id; texts that only merges mention get ids from `vocabulary.size` up.
 */
export class MergeTable implements MergeRules {
  readonly #vocabulary: Vocabulary;
  readonly #lefts: Int32Array;
  readonly #rights: Int32Array;
  readonly #results: Int32Array;
  /** Merge index + 1, or 0 where free. */
  readonly #table: Uint32Array;
  readonly #seed = (Math.random() * 0x1_0000_0000) >>> 0;
  readonly #strangers = new Map<string, number>();
  readonly #strangerTexts: Uint8Array[] = [];

  constructor(vocabulary: Vocabulary, merges: StringTable) {
    if (merges.length >= MAX_RANK) {
      throw new ModelError(`This model's vocabulary has ${merges.length} merges; up to ${MAX_RANK - 1} are supported.`);
    }
    this.#vocabulary = vocabulary;
    const count = merges.length;
    this.#lefts = new Int32Array(count);
    this.#rights = new Int32Array(count);
    this.#results = new Int32Array(count);
    this.#table = new Uint32Array(2 ** Math.ceil(Math.log2(count * 2 + 2)));
    let joined = new Uint8Array(256);
    for (let i = 0; i < count; i++) {
      const text = merges.bytes(i);
      // The first half may itself be a space, so the space that separates is looked for behind the first byte.
      const space = text.indexOf(SPACE, 1);
      if (space < 0 || space + 1 === text.length) continue;
      if (text.length > joined.length) joined = new Uint8Array(text.length * 2);
      joined.set(text.subarray(0, space));
      joined.set(text.subarray(space + 1), space);
      this.#lefts[i] = this.#symbolOrStranger(text.subarray(0, space));
      this.#rights[i] = this.#symbolOrStranger(text.subarray(space + 1));
      this.#results[i] = this.#symbolOrStranger(joined.subarray(0, text.length - 1));
      this.#insert(i);
    }
  }

  join(left: number, right: number, _start: number, _end: number, pair: Pair): boolean {
    if (left < 0 || right < 0) return false;
    const mask = this.#table.length - 1;
    for (let slot = this.#hash(left, right) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#table[slot] as number;
      if (entry === 0) return false;
      if (this.#lefts[entry - 1] === left && this.#rights[entry - 1] === right) {
        pair.rank = entry - 1;
        pair.symbol = this.#results[entry - 1] as number;
        return true;
      }
    }
  }

  /** Token id of a text, or the id of a text that only merges mention, or -1. */
  symbol(text: Uint8Array): number {
    const token = this.#vocabulary.find(text);
    return token >= 0 ? token : (this.#strangers.get(strangerKey(text)) ?? -1);
  }

  /** Text of a symbol that is no token. */
  strangerText(symbol: number): Uint8Array {
    return this.#strangerTexts[symbol - this.#vocabulary.size] as Uint8Array;
  }

  /** A pair listed twice keeps its first rank. */
  #insert(index: number): void {
    const left = this.#lefts[index] as number;
    const right = this.#rights[index] as number;
    const mask = this.#table.length - 1;
    let slot = this.#hash(left, right) & mask;
    for (;;) {
      const entry = this.#table[slot] as number;
      if (entry === 0) break;
      if (this.#lefts[entry - 1] === left && this.#rights[entry - 1] === right) return;
      slot = (slot + 1) & mask;
    }
    this.#table[slot] = index + 1;
  }

  #symbolOrStranger(text: Uint8Array): number {
    const known = this.symbol(text);
    if (known >= 0) return known;
    const symbol = this.#vocabulary.size + this.#strangerTexts.length;
    this.#strangers.set(strangerKey(text), symbol);
    this.#strangerTexts.push(text.slice());
    return symbol;
  }

  #hash(left: number, right: number): number {
    return mix(Math.imul(mix(left ^ this.#seed), 0x9e3779b1) ^ right);
  }
}

function strangerKey(text: Uint8Array): string {
  return String.fromCharCode(...text.subarray(0, MAX_STRANGER_BYTES));
}

/** Longer texts occur in damaged files alone; `String.fromCharCode` takes its arguments from the stack. */
const MAX_STRANGER_BYTES = 4096;
