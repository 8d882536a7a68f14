import type { Payloads } from '../../worker/mesh/room/io.ts';

/**
 * A model that stands in for a real one: each layer keeps for each position a chain of (layer, position, input, what it
 * held before), and what it gives depends on that. Keys and values that are missing, doubled, or another session's change
 * every token that follows.
 */
export const VOCABULARY = 50_257;
/** Positions behind one another whose tokens a token depends on beside: as a sampler's penalties do. */
const PENALTY_DISTANCE = 5;

export function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ (b >>> 15), 0x2c1b3c6d) ^ Math.imul(b ^ (a >>> 13), 0x297a2d39);
  hash = Math.imul(hash ^ (hash >>> 12), 0x85ebca6b);
  return hash ^ (hash >>> 15);
}

/** What one stage holds of one session. It is never cleared, like a GPU's memory: who reads too far reads what was there. */
export class Chains {
  readonly first: number;
  readonly layers: number;
  #values: Int32Array;

  constructor(first: number, last: number) {
    this.first = first;
    this.layers = last - first;
    this.#values = new Int32Array(256 * this.layers);
  }

  /** Passes a row through the layers. */
  row(position: number, input: number): number {
    const { first, layers } = this;
    const at = position * layers;
    if (at + layers > this.#values.length) this.#grow(at + layers);
    const values = this.#values;
    let x = input;
    for (let i = 0; i < layers; i++) {
      const held = position === 0 ? 0 : (values[at - layers + i] as number);
      const chained = mix(held, x + Math.imul(first + i + 1, 0x9e3779b1) + Math.imul(position, 0x85ebca77));
      values[at + i] = chained;
      x = mix(x, chained);
    }
    return x;
  }

  #grow(least: number): void {
    const values = new Int32Array(Math.max(least, this.#values.length * 2));
    values.set(this.#values);
    this.#values = values;
  }
}

export function embed(token: number): number {
  return mix(0x5bd1e995, token);
}

/** The token after a row; `tokens` are those said so far. */
export function sample(row: number, position: number, seed: number, tokens: readonly number[]): number {
  const penalty = tokens[Math.max(0, position - PENALTY_DISTANCE)] ?? -1;
  return (mix(mix(row, seed), mix(position, penalty)) >>> 0) % VOCABULARY;
}

/** One undisturbed device with all layers, which is asked what a session's tokens should have been. */
export class Undisturbed {
  readonly #chains: Chains;
  #computed: number[] = [];

  constructor(layers: number) {
    this.#chains = new Chains(0, layers);
  }

  /** The first position from `prompt` on whose token is not what it should be; -1: all are right. */
  firstWrong(tokens: readonly number[], prompt: number, seed: number): number {
    let same = 0;
    while (same < this.#computed.length && same < tokens.length && this.#computed[same] === tokens[same]) same++;
    same = Math.min(same, prompt - 1);
    for (let position = same; position < tokens.length; position++) {
      const row = this.#chains.row(position, embed(tokens[position] as number));
      const next = position + 1;
      if (next < prompt || next >= tokens.length) continue;
      if (sample(row, position, seed, tokens) !== tokens[next]) {
        this.#computed = tokens.slice(0, next);
        return next;
      }
    }
    this.#computed = [...tokens];
    return -1;
  }
}

/** Rows are numbers; in the room's memory each weighs `bytesARow`. */
export function numbersAsRows(bytesARow: number): Payloads<number[]> {
  return {
    bytes: (rows) => rows.length * bytesARow,
    slice: (rows, from, to) => rows.slice(from, to),
    join: (parts) => parts.flat(),
  };
}
