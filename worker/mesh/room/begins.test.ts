import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginnings, type Holding } from './begins.ts';

const holding = fc
  .tuple(fc.nat(60), fc.nat(60))
  .map(([a, b]): Holding => ({ have: Math.max(a, b), retained: Math.min(a, b) }));

test('every stage gets exactly the rows that it lacks, from retained rows or computed ones', () => {
  fc.assert(
    fc.property(fc.array(holding, { minLength: 1, maxLength: 6 }), fc.nat(20), (holdings, more) => {
      const tokens = Math.max(...holdings.map(({ have }) => have)) + 1 + more;
      const begins = beginnings(holdings);
      holdings.forEach(({ have, retained }, stage) => {
        const begin = begins[stage] as number;
        // nobody begins behind what it holds
        expect(begin).toBeLessThanOrEqual(have);
        const next = begins[stage + 1];
        if (next === undefined) return;
        const rows: number[] = [];
        // it still has what it sent of positions below its own beginning
        for (let position = Math.max(next, retained); position < begin; position++) rows.push(position);
        for (let position = begin; position < tokens; position++) if (position >= next) rows.push(position);
        expect(rows).toEqual(Array.from({ length: tokens - next }, (_, i) => next + i));
      });
    }),
  );
});

test('no stage computes again what it holds, unless the next lacks what was not retained', () => {
  expect(
    beginnings([
      { have: 40, retained: 0 },
      { have: 0, retained: 0 },
      { have: 40, retained: 40 },
    ]),
  ).toEqual([40, 0, 40]);
  expect(
    beginnings([
      { have: 40, retained: 30 },
      { have: 0, retained: 0 },
      { have: 40, retained: 40 },
    ]),
  ).toEqual([0, 0, 40]);
  expect(
    beginnings([
      { have: 0, retained: 0 },
      { have: 0, retained: 0 },
      { have: 40, retained: 0 },
    ]),
  ).toEqual([0, 0, 40]);
});
