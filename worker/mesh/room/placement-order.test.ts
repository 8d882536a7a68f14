import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Placement } from '../types.ts';
import { comparePlacements, nextEpoch, PlacementBook, placementFault, roundOf } from './placement-order.ts';
import type { Users } from './use.ts';

const id = fc.record({
  model: fc.constant('m'),
  epoch: fc.integer({ min: 0, max: 5 }),
  proposer: fc.constantFrom('a', 'b', 'c'),
});
const stages = [{ device: 'a', first: 0, last: 4 }];
const placementOf = (model: string, epoch: number): Placement => ({
  id: { model, epoch, proposer: 'a' },
  stages,
  spares: [],
});

test('there is exactly one order of placements', () => {
  fc.assert(
    fc.property(id, id, id, (a, b, c) => {
      const sign = (x: number) => Math.sign(x);
      expect(sign(comparePlacements(a, b))).toBe(0 - sign(comparePlacements(b, a)));
      if (comparePlacements(a, b) === 0) expect(a).toEqual(b);
      if (comparePlacements(a, b) > 0 && comparePlacements(b, c) > 0)
        expect(comparePlacements(a, c)).toBeGreaterThan(0);
    }),
  );
});

test('two devices that hear of the same placements in any order hold the same one for the highest', () => {
  fc.assert(
    fc.property(fc.array(id, { minLength: 1, maxLength: 12 }), (ids) => {
      const placements = ids.map((one): Placement => ({ id: one, stages, spares: [] }));
      const [book, other] = [new PlacementBook(), new PlacementBook()];
      for (const placement of placements) book.add(placement, 0);
      for (const placement of [...placements].reverse()) other.add(placement, 0);
      const list = (one: PlacementBook) => one.of('m').map(({ placement }) => placement.id);
      expect(list(book)).toEqual(list(other));
      expect(list(book)).toEqual([...list(book)].sort(comparePlacements).reverse());
    }),
  );
});

test('of the same placements, heard in any order, all say which model was laid last', () => {
  const placement = fc
    .record({
      model: fc.constantFrom('m', 'n', 'o'),
      round: fc.integer({ min: 1, max: 5 }),
      laid: fc.option(fc.integer({ min: 0, max: 6 })),
    })
    .map(({ model, round, laid }): Placement => {
      const id = { model, epoch: round * 256 + (laid ?? 7), proposer: 'a' };
      return { id, stages, spares: [], ...(laid === null ? {} : { laid }) };
    });
  fc.assert(
    fc.property(fc.array(placement, { minLength: 1, maxLength: 8 }), (placements) => {
      const [book, other] = [new PlacementBook(), new PlacementBook()];
      for (const one of placements) book.add(one, 0);
      for (const one of [...placements].reverse()) other.add(one, 0);
      expect(book.newestFirst()).toEqual(other.newestFirst());
      // a round that is not here yet laid nothing, and where none is said it is the proposal's own
      const latest = placements.map(({ id, laid }) => Math.min(laid ?? roundOf(id.epoch), roundOf(id.epoch)));
      const [newest = ''] = book.newestFirst();
      expect(book.laidIn(newest)).toBe(Math.max(...latest));
    }),
  );
});

test('a placement that came through a device of an older version is known better once it comes from another', () => {
  const book = new PlacementBook();
  const { id } = placementOf('m', 5 * 256);
  expect(book.add({ id, stages, spares: [] }, 0)).toBe(true);
  expect(book.laidIn('m')).toBe(5);
  expect(book.add({ id, stages: [{ device: 'b', first: 0, last: 9 }], spares: [], laid: 2 }, 0)).toBe(true);
  expect(book.laidIn('m')).toBe(2);
  expect(book.get(id)?.placement.stages).toEqual(stages);
  // from then on it is data that does not change
  expect(book.add({ id, stages, spares: [], laid: 1 }, 0)).toBe(false);
  expect(book.add({ id, stages, spares: [] }, 0)).toBe(false);
  expect(book.laidIn('m')).toBe(2);
});

test('a reloaded device that knows nothing does not name another placement as it did before', () => {
  expect(nextEpoch(0, 1)).not.toBe(nextEpoch(0, 2));
  expect(roundOf(nextEpoch(0, 1))).toBe(roundOf(nextEpoch(0, 2)));
  fc.assert(
    fc.property(fc.nat(1e6), fc.nat(1e4), fc.nat(1e4), (epoch, incarnation, other) => {
      expect(nextEpoch(epoch, incarnation)).toBeGreaterThan(epoch);
      expect(nextEpoch(nextEpoch(epoch, incarnation), other)).toBeGreaterThan(nextEpoch(epoch, incarnation));
    }),
  );
});

test('a placement with a gap, an overlap or no number is of no use', () => {
  const of = (...ranges: [number, number][]) =>
    placementFault({
      id: { model: 'm', epoch: 1, proposer: 'a' },
      stages: ranges.map(([first, last]) => ({ device: 'a', first, last })),
      spares: [],
    });
  expect(of([0, 4], [4, 8])).toBeUndefined();
  expect(of()).toBeDefined();
  expect(of([0, 4], [5, 8])).toBeDefined();
  expect(of([0, 4], [3, 8])).toBeDefined();
  expect(of([0, Number.NaN])).toBeDefined();
});

test('a model that nobody ran or held for ten minutes is forgotten, and who still names it does not bring it back', () => {
  const book = new PlacementBook();
  const placed = (model: string, epoch: number) => ({
    id: { model, epoch, proposer: 'a' },
    stages: [{ device: 'a', first: 0, last: 4 }],
    spares: [],
  });
  const minute = 60_000;
  book.add(placed('old', 256), 0);
  book.add(placed('held', 512), 0);
  book.add(placed('newest', 768), 0);
  book.forgetUnused(new Set(['old', 'held']), minute);
  for (let at = 2; at <= 10; at++) book.forgetUnused(new Set(['held']), at * minute);
  expect([...book.models()]).toEqual(['old', 'held', 'newest']);
  book.forgetUnused(new Set(['held']), 11 * minute + 1);
  expect([...book.models()]).toEqual(['held', 'newest']);
  expect(book.hasForgotten(placed('old', 256).id)).toBe(true);
  expect(book.add(placed('old', 256), 12 * minute)).toBe(false);
  // what is proposed now is above all that a sleeper may still know of it
  expect(book.epochOf('old')).toBe(256);
  // a sleeper that holds it is back
  book.forgetUnused(new Set(['held', 'old']), 12 * minute);
  expect(book.add(placed('old', 256), 12 * minute)).toBe(true);
});

test('whatever is proposed, at most 32 models are known, and those that somebody uses stay', () => {
  const used = new Map<string, Users>([
    ['own', 'self'],
    ['others', 'others'],
  ]);
  const users = (model: string) => used.get(model) ?? 'nobody';
  const book = new PlacementBook({ ofModel: users, ofPlacement: ({ model }) => users(model) });
  book.add(placementOf('own', 1), 0);
  book.add(placementOf('others', 1), 0);
  for (let i = 0; i < 1000; i++) book.add(placementOf(`m${i}`, 1), i);
  const models = new Set(book.models());
  expect(models.size).toBe(32);
  expect(models.has('own') && models.has('others') && models.has('m999')).toBe(true);
  // where all are in use, what others propose is not taken, and what this device proposes is
  for (const model of models) if (!used.has(model)) used.set(model, 'others');
  expect(book.add(placementOf('late', 1), 2000)).toBe(false);
  expect(book.add(placementOf('late', 1), 2000, true)).toBe(true);
  expect([...book.models()]).toHaveLength(32);
  expect(book.highest('own')).toBeDefined();
});

test('of a model at most 8 placements are known: the highest four, and of the rest those that somebody uses', () => {
  const used = new Map<number, Users>([
    [1, 'self'],
    [3, 'others'],
  ]);
  const book = new PlacementBook({ ofModel: () => 'nobody', ofPlacement: ({ epoch }) => used.get(epoch) ?? 'nobody' });
  for (let epoch = 1; epoch <= 100; epoch++) expect(book.add(placementOf('m', epoch), 0)).toBe(true);
  expect(book.of('m').map(({ placement }) => placement.id.epoch)).toEqual([100, 99, 98, 97, 96, 95, 3, 1]);
  expect(book.add(placementOf('m', 50), 0)).toBe(false);
  for (const epoch of [96, 95]) used.set(epoch, 'others');
  book.add(placementOf('m', 101), 0);
  book.add(placementOf('m', 102), 0);
  expect(book.of('m').map(({ placement }) => placement.id.epoch)).toEqual([102, 101, 100, 99, 96, 95, 3, 1]);
  // what is proposed anew is known in any case
  for (let epoch = 103; epoch < 110; epoch++) {
    used.set(epoch, 'others');
    expect(book.add(placementOf('m', epoch), 0)).toBe(true);
  }
  expect(book.get(placementOf('m', 1).id)).toBeDefined();
});
