import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Payloads } from './io.ts';
import { Retention } from './retention.ts';

const numbers: Payloads<number[]> = {
  bytes: (rows) => rows.length * 10,
  slice: (rows, from, to) => rows.slice(from, to),
  join: (parts) => parts.flat(),
};

const step = fc.oneof(
  fc.record({ add: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ cut: fc.nat(60) }),
  fc.record({ skip: fc.integer({ min: 1, max: 5 }) }),
);

test('holds the newest rows without a gap, within its cap, and gives them as they were', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.nat(60),
      fc.integer({ min: 1, max: 20 }),
      (steps, first, most) => {
        const retention = new Retention(numbers, 200);
        const truth = new Map<number, number>();
        let end = 0;
        let value = 0;
        for (const one of steps) {
          if ('add' in one) {
            const rows = Array.from({ length: one.add }, () => value++);
            retention.add(end, one.add, rows);
            rows.forEach((row, i) => {
              truth.set(end + i, row);
            });
            end += one.add;
          } else if ('cut' in one) {
            end = Math.min(end, one.cut);
            retention.cut(end);
          } else {
            end += one.skip;
            retention.cut(end);
          }
          expect(retention.end).toBe(end);
          expect(retention.from).toBeLessThanOrEqual(end);
          expect(retention.bytes).toBe((end - retention.from) * 10);
          expect(retention.bytes).toBeLessThanOrEqual(200);
        }
        const taken = retention.take(first, most);
        if (first < retention.from || first >= end) expect(taken).toBeUndefined();
        else {
          const rows = Math.min(most, end - first);
          expect(taken).toEqual({ rows, payload: Array.from({ length: rows }, (_, i) => truth.get(first + i)) });
        }
      },
    ),
  );
});
