import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Payloads } from './io.ts';
import { Retention } from './retention.ts';
import { divideOffer, RETAINED_BYTES, RetentionPool } from './retention-pool.ts';

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
        const retention = new Retention(numbers, new RetentionPool(200));
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

test('several share one cap, and who was not added to for longest gives way', () => {
  const pool = new RetentionPool(200);
  const [one, other] = [new Retention(numbers, pool), new Retention(numbers, pool)];
  const rows = (count: number) => new Array<number>(count).fill(1);
  for (let first = 0; first < 10; first += 5) one.add(first, 5, rows(5));
  for (let first = 0; first < 15; first += 5) other.add(first, 5, rows(5));
  expect([one.from, one.bytes, other.from, other.bytes]).toEqual([5, 50, 0, 150]);
  one.add(10, 5, rows(5));
  expect([one.from, one.bytes, other.from, other.bytes]).toEqual([5, 100, 5, 100]);
  other.clear(15);
  expect(pool.bytes).toBe(100);
  pool.capBytes = 60;
  expect([pool.bytes, one.from]).toEqual([50, 10]);
});

test('a pool counts what its members hold, whatever they do, and never more than its cap', () => {
  const many = fc.array(fc.tuple(fc.nat(2), step), { maxLength: 80 });
  fc.assert(
    fc.property(many, (steps) => {
      const pool = new RetentionPool(300);
      const members = [0, 1, 2].map(() => new Retention(numbers, pool));
      for (const [which, one] of steps) {
        const member = members[which] as Retention<number[]>;
        if ('add' in one) member.add(member.end, one.add, new Array<number>(one.add).fill(1));
        else member.cut('cut' in one ? one.cut : member.end + one.skip);
        expect(pool.bytes).toBe(members.reduce((sum, { bytes }) => sum + bytes, 0));
        expect(pool.bytes).toBeLessThanOrEqual(300);
      }
    }),
  );
});

test('what a device offers is for layers, for what they gave and for what leaves it, and no byte for two', () => {
  const [small, large] = [divideOffer(2 ** 30), divideOffer(2 ** 40)];
  expect(small).toEqual({ layersBytes: 2 ** 30 - 2 ** 26, retainedBytes: 3 * 2 ** 24, waitingBytes: 2 ** 24 });
  expect(large).toEqual({ layersBytes: 2 ** 40 - 2 ** 28, retainedBytes: RETAINED_BYTES, waitingBytes: 2 ** 26 });
  expect(new RetentionPool(small.retainedBytes).waitingCapBytes).toBe(small.waitingBytes);
  expect(divideOffer(0)).toEqual({ layersBytes: 0, retainedBytes: 0, waitingBytes: 0 });
});
