import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MergeRules, Merger } from './merge.ts';

/** Rules over small symbols: pair (a, b) joins to a new symbol at a rank, both from a table. */
function rulesOf(table: ReadonlyMap<string, { rank: number; symbol: number }>): MergeRules {
  return {
    join(left, right, _start, _end, pair) {
      const entry = table.get(`${left},${right}`);
      if (!entry) return false;
      pair.rank = entry.rank;
      pair.symbol = entry.symbol;
      return true;
    },
  };
}

/** The definition: again and again the pair of lowest rank, the leftmost of equals. */
function naive(symbols: readonly number[], table: ReadonlyMap<string, { rank: number; symbol: number }>): number[] {
  const result = [...symbols];
  for (;;) {
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 1 < result.length; i++) {
      const rank = table.get(`${result[i]},${result[i + 1]}`)?.rank;
      if (rank !== undefined && rank < lowest) {
        lowest = rank;
        best = i;
      }
    }
    if (best < 0) return result;
    result.splice(best, 2, table.get(`${result[best]},${result[best + 1]}`)?.symbol as number);
  }
}

function run(symbols: readonly number[], rules: MergeRules): { symbols: number[]; ends: number[] } {
  const merger = new Merger();
  symbols.forEach((symbol, i) => {
    merger.push(symbol, i + 1);
  });
  merger.run(rules);
  return {
    symbols: [...merger.symbols.subarray(0, merger.count)],
    ends: [...merger.ends.subarray(0, merger.count)],
  };
}

const merges = fc
  .array(fc.tuple(fc.nat(5), fc.nat(5), fc.nat(3), fc.integer({ min: 3, max: 5 })), { maxLength: 12 })
  .map((entries) => new Map(entries.map(([left, right, rank, symbol]) => [`${left},${right}`, { rank, symbol }])));

describe('merging', () => {
  test('joins what the definition joins, in its order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 150 }), merges, (symbols, table) => {
        const { symbols: merged, ends } = run(symbols, rulesOf(table));
        expect(merged).toEqual(naive(symbols, table));
        expect(ends.at(-1) ?? 0).toBe(symbols.length);
      }),
    );
  });

  test('asks for each pair a few times only, however long the run', () => {
    const length = 100_000;
    let asked = 0;
    // Runs of one symbol double: 1+1 = 2, 2+2 = 3, and so on up to 2^10 of them.
    const rules: MergeRules = {
      join(left, right, _start, _end, pair) {
        asked++;
        if (left !== right || left > 10) return false;
        pair.rank = left;
        pair.symbol = left + 1;
        return true;
      },
    };
    const { symbols } = run(new Array<number>(length).fill(1), rules);
    expect(symbols).toHaveLength(Math.floor(length / 1024) + (length % 1024).toString(2).replaceAll('0', '').length);
    expect(asked).toBeLessThan(4 * length);
  });
});
