import { expect, test } from 'vitest';
import type { PlacementId } from '../types.ts';
import { NO_ROOM_MS } from './constants.ts';
import { Holdings } from './holdings.ts';
import type { Effect } from './io.ts';
import { PlacementBook } from './placement-order.ts';
import { Records } from './records.ts';
import { stateOf } from './test-states.ts';

test('that there was no room is remembered until it is tried again, though nobody waits for it meanwhile', () => {
  const effects: Effect<number[]>[] = [];
  const clock = { nowMs: 0 };
  const post = {
    device: 'a',
    get nowMs() {
      return clock.nowMs;
    },
    reaches: () => true,
    emit: (effect: Effect<number[]>) => void effects.push(effect),
    send: () => {},
    sendFrame: () => {},
  };
  const book = new PlacementBook();
  const records = new Records('a');
  const models = {
    layers: () => 4,
    bytes: (_: string, first: number, last: number) => (last - first) * 10,
    slots: () => 1,
  };
  const profile = { ...stateOf('a').profile, budgetBytes: 30 };
  const holdings = new Holdings<number[]>(
    post,
    book,
    records,
    models,
    profile,
    () => false,
    () => {},
  );
  const id: PlacementId = { model: 'm', epoch: 256, proposer: 'b' };
  const stages = [
    { device: 'a', first: 0, last: 2 },
    { device: 'a', first: 2, last: 4 },
  ];
  book.add({ id, stages, spares: [] }, 0);
  // a higher one that gives this device nothing
  book.add({ id: { ...id, epoch: 512 }, stages: [{ device: 'b', first: 0, last: 4 }], spares: [] }, 0);
  let counter = 1;
  const drives = (isDriven: boolean) => {
    const driving = isDriven ? [{ session: 's', placement: id }] : [];
    records.accept(stateOf('b', { counter: counter++, driving }), undefined, clock.nowMs);
    holdings.look('a');
  };
  const phases = () => holdings.states().map(({ first, phase }) => `${first} ${phase}`);
  records.linked('b');
  drives(true);
  expect(phases()).toEqual(['0 loading', '2 failed']);
  drives(false);
  expect(phases()).toEqual(['2 failed']);
  drives(true);
  expect(phases()).toEqual(['2 failed', '0 loading']);
  drives(false);
  clock.nowMs = NO_ROOM_MS;
  drives(false);
  expect(phases()).toEqual([]);
});

test('a stage that is lost again and again is loaded again after longer and longer rests', () => {
  const loads: number[] = [];
  const clock = { nowMs: 0 };
  const post = {
    device: 'a',
    get nowMs() {
      return clock.nowMs;
    },
    reaches: () => true,
    emit: ({ kind }: Effect<number[]>) => void (kind === 'load' && loads.push(clock.nowMs)),
    send: () => {},
    sendFrame: () => {},
  };
  const book = new PlacementBook();
  const models = { layers: () => 4, bytes: () => 10, slots: () => 1 };
  const { profile } = stateOf('a');
  const holdings = new Holdings<number[]>(
    post,
    book,
    new Records('a'),
    models,
    profile,
    () => false,
    () => {},
  );
  const id = { model: 'm', epoch: 256, proposer: 'b' };
  const stage = { model: 'm', first: 0, last: 4 };
  book.add({ id, stages: [{ device: 'a', first: 0, last: 4 }], spares: [] }, 0);
  for (; clock.nowMs < 60_000; clock.nowMs += 1000) {
    const before = loads.length;
    holdings.look('a');
    if (loads.length === before) continue;
    holdings.ready(stage);
    holdings.lost(stage);
  }
  expect(loads).toEqual([0, 1000, 6000, 16_000, 36_000]);
});
