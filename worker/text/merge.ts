/**
 * The merge loop that byte-level BPE and SentencePiece BPE share: of all neighbours that may join, the pair of lowest
 * rank joins first, of equals the leftmost. Symbols are a linked list in typed arrays and candidates a binary heap,
 * so a run of n symbols takes O(n log n).
 */
export interface MergeRules {
  /**
   * Rank and result of joining two neighbours, written into `pair`; false when they may not join. `[start, end)` is
   * what both cover, in the caller's units.
   */
  join(left: number, right: number, start: number, end: number, pair: Pair): boolean;
}

export interface Pair {
  /** Lower joins earlier; an integer from 0 to 2^21. */
  rank: number;
  symbol: number;
}

export const MAX_RANK = 2 ** 21;
const POSITIONS = 2 ** 32;

export class Merger {
  /** Symbols; after `run` the first `count` are the result. */
  symbols: Int32Array = new Int32Array(64);
  /** Where each symbol ends, in the caller's units; symbol i starts where i - 1 ends. */
  ends: Uint32Array = new Uint32Array(64);
  count = 0;

  #previous = new Int32Array(64);
  #next = new Int32Array(64);
  #starts = new Uint32Array(64);
  /** rank * 2^32 + left position: exact in a float64 while ranks stay under 2^21. */
  #keys = new Float64Array(192);
  #results = new Int32Array(192);
  #spans = new Uint32Array(192);
  #heapSize = 0;
  readonly #pair: Pair = { rank: 0, symbol: 0 };

  clear(): void {
    this.count = 0;
  }

  push(symbol: number, end: number): void {
    if (this.count === this.symbols.length) this.#grow();
    this.symbols[this.count] = symbol;
    this.ends[this.count] = end;
    this.count++;
  }

  /** Joins all that `rules` allow; afterwards `symbols` and `ends` hold what is left. */
  run(rules: MergeRules): void {
    const count = this.count;
    if (count < 2) return;
    for (let i = 0; i < count; i++) {
      this.#previous[i] = i - 1;
      this.#next[i] = i + 1 < count ? i + 1 : -1;
      this.#starts[i] = i === 0 ? 0 : (this.ends[i - 1] as number);
    }
    this.#heapSize = 0;
    for (let i = 0; i + 1 < count; i++) this.#offer(rules, i, i + 1);
    while (this.#heapSize > 0) this.#joinBest(rules);
    let kept = 0;
    for (let i = 0; i !== -1; i = this.#next[i] as number) {
      this.symbols[kept] = this.symbols[i] as number;
      this.ends[kept] = this.ends[i] as number;
      kept++;
    }
    this.count = kept;
  }

  #joinBest(rules: MergeRules): void {
    const left = (this.#keys[0] as number) % POSITIONS;
    const result = this.#results[0] as number;
    const span = this.#spans[0] as number;
    this.#removeTop();
    const right = this.#next[left] as number;
    // A dead symbol has next -2; a neighbour that has changed since covers another span.
    if (right < 0 || (this.ends[right] as number) - (this.#starts[left] as number) !== span) return;
    const after = this.#next[right] as number;
    this.symbols[left] = result;
    this.ends[left] = this.ends[right] as number;
    this.#next[left] = after;
    this.#next[right] = -2;
    if (after >= 0) this.#previous[after] = left;
    this.#offer(rules, this.#previous[left] as number, left);
    this.#offer(rules, left, after);
  }

  #offer(rules: MergeRules, left: number, right: number): void {
    if (left < 0 || right < 0) return;
    const start = this.#starts[left] as number;
    const end = this.ends[right] as number;
    const pair = this.#pair;
    if (!rules.join(this.symbols[left] as number, this.symbols[right] as number, start, end, pair)) return;
    let at = this.#heapSize++;
    const key = pair.rank * POSITIONS + left;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((this.#keys[parent] as number) <= key) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#keys[at] = key;
    this.#results[at] = pair.symbol;
    this.#spans[at] = end - start;
  }

  #removeTop(): void {
    const last = --this.#heapSize;
    if (last === 0) return;
    const key = this.#keys[last] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && (this.#keys[child + 1] as number) < (this.#keys[child] as number)) child++;
      if ((this.#keys[child] as number) >= key) break;
      this.#move(child, at);
      at = child;
    }
    this.#move(last, at);
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from] as number;
    this.#results[to] = this.#results[from] as number;
    this.#spans[to] = this.#spans[from] as number;
  }

  /** n symbols offer n - 1 pairs, and each of at most n - 1 joins takes one off and offers two: under 2 n at once. */
  #grow(): void {
    const capacity = this.symbols.length * 2;
    const symbols = new Int32Array(capacity);
    symbols.set(this.symbols);
    const ends = new Uint32Array(capacity);
    ends.set(this.ends);
    this.symbols = symbols;
    this.ends = ends;
    this.#previous = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#starts = new Uint32Array(capacity);
    this.#keys = new Float64Array(capacity * 3);
    this.#results = new Int32Array(capacity * 3);
    this.#spans = new Uint32Array(capacity * 3);
  }
}
