import { afterEach, expect, test, vi } from 'vitest';
import { Retention } from '../../worker/mesh/room/retention.ts';
import { Slot } from '../../worker/mesh/room/slot.ts';
import { type Constants, constantsFor } from './constants.ts';
import type { Plant } from './device.ts';
import { Simulation } from './simulation.ts';
import { HUB_MODEL, throughTheWire } from './wire-check.ts';

/** Half a minute of 64 devices takes ten seconds on two idle cores. */
const LARGE_ROOM_MS = 600_000;

afterEach(() => vi.restoreAllMocks());

/** Two devices that hold a model together, and a third that drives as they do. */
const PIPELINE: Partial<Constants> = {
  models: 1,
  layers: 12,
  budgetLayers: [7, 11],
  sessionsADevice: 3,
  turnTokens: [8, 120],
  answerTokens: [8, 40],
  calmSeconds: 240,
};
const NO_FAULTS: Partial<Constants> = { faultEverySeconds: 1e9 };

function simulate(devices: number, hours: number, changes: Partial<Constants>, plant?: Plant, seed = 7): Simulation {
  const simulation = new Simulation({ ...constantsFor(devices, hours, seed), ...changes }, plant);
  simulation.run();
  return simulation;
}

function isClean({ tally }: Simulation): boolean {
  return tally.wrongTokens + tally.answersLost + tally.stuck === 0;
}

test('six devices that fail once a minute each lose no answer and say no wrong token', () => {
  const { tally } = simulate(6, 0.2, {});
  expect(tally.wrongTokens).toBe(0);
  expect(tally.answersLost).toBe(0);
  expect(tally.stuck).toBe(0);
  expect(tally.answersCompleted).toBeGreaterThan(50);
  expect(tally.kills).toBeGreaterThan(3);
});

test('pages that hide, run on and show again leave no link that one side alone knows, and answers go on', () => {
  const simulation = simulate(4, 0.1, {
    ...PIPELINE,
    faultEverySeconds: 15,
    faults: { sleep: 1, death: 0, reload: 0, stall: 0, partition: 0, 'one-way': 0, gpu: 0 },
    goodbyeChance: { reload: 1, sleep: 1 },
    runsOnChance: 1,
    hiddenSeconds: [0.3, 6],
  });
  expect(simulation.tally.faults.sleep).toBeGreaterThan(50);
  expect(simulation.strayLinks).toBe(0);
  expect(isClean(simulation)).toBe(true);
  expect(simulation.tally.answersCompleted).toBeGreaterThan(20);
});

test('nor do twenty, of which not all are linked', () => {
  const { tally } = simulate(20, 0.05, {});
  expect(tally.wrongTokens).toBe(0);
  expect(tally.answersLost).toBe(0);
  expect(tally.stuck).toBe(0);
  expect(tally.answersCompleted).toBeGreaterThan(30);
});

test(
  'all that sixty-four devices with twenty-four models say fits the wire',
  () => {
    const dropped = new Map<string, number>();
    const { tally } = simulate(64, 0.01, { calmSeconds: 5, modelName: HUB_MODEL }, throughTheWire(dropped));
    expect([...dropped]).toEqual([]);
    expect(tally.answersCompleted).toBeGreaterThan(5);
  },
  LARGE_ROOM_MS,
);

test('a seed determines all that happens', () => {
  const one = simulate(4, 0.02, {}).tally;
  const other = simulate(4, 0.02, {}).tally;
  expect(JSON.stringify(one)).toBe(JSON.stringify(other));
});

// ---------- planted faults: each is found, and without it the same seed is clean ----------

/** Turns follow at once, and what is under way when one ends comes late. */
const LATE: Partial<Constants> = {
  ...PIPELINE,
  ...NO_FAULTS,
  thinkSeconds: [0, 0],
  lossChance: 0.2,
  lossMs: [20, 400],
  editChance: 0.1,
  newSessionChance: 0,
};

test('a stage that does not look at attempt and epoch is found', () => {
  expect(isClean(simulate(3, 0.2, LATE))).toBe(true);
  const { frame } = Slot.prototype;
  vi.spyOn(Slot.prototype, 'frame').mockImplementation(function (this: Slot<unknown>, from, late) {
    frame.call(this, from, { ...late, attempt: this.attempt, epoch: this.epoch });
  });
  expect(isClean(simulate(3, 0.2, LATE))).toBe(false);
});

test('a replay that is off by one is found', () => {
  const changes = { ...PIPELINE, faultEverySeconds: 60 };
  expect(isClean(simulate(4, 0.3, changes))).toBe(true);
  const { take } = Retention.prototype;
  vi.spyOn(Retention.prototype, 'take').mockImplementation(function (this: Retention<unknown>, first, most) {
    return take.call(this, first + 1, most) ?? take.call(this, first, most);
  });
  expect(isClean(simulate(4, 0.3, changes))).toBe(false);
});

test('a slot whose memory is given to another session too early is found', () => {
  const changes = { ...PIPELINE, ...NO_FAULTS };
  expect(isClean(simulate(3, 0.05, changes))).toBe(true);
  const plant: Plant = (_, device) => {
    device.executor.memoryOf = (slot) => slot >> 1;
  };
  expect(isClean(simulate(3, 0.05, changes, plant))).toBe(false);
});

/** Two devices over whose link a chunk of a prompt takes longer than silence may last; people stop answers and ask anew. */
const SLOW: Partial<Constants> = {
  ...PIPELINE,
  ...NO_FAULTS,
  visitorEvery: 2,
  sessionsADevice: 1,
  linkMbit: [1.5, 1.5],
  turnTokens: [200, 400],
  stopChance: 0.5,
};

test('a stage that does not say that its rows go out slowly is found', () => {
  const whole = simulate(2, 0.3, SLOW);
  expect(isClean(whole)).toBe(true);
  expect(whole.tally.answersCompleted).toBeGreaterThan(10);
  vi.spyOn(Slot.prototype, 'rowsGo').mockImplementation(() => {});
  expect(isClean(simulate(2, 0.3, SLOW))).toBe(false);
});

test('rows of attempts that are over and go out all the same are found', () => {
  // somebody asks, and asks something else again and again while it is read
  const run = (plant?: Plant) => {
    const simulation = new Simulation({ ...constantsFor(2, 0.04, 7), ...SLOW, linkMbit: [20, 20] }, plant);
    const ask = { kind: 'answer', session: 'f'.repeat(16), model: 'model-0', sampler: { seed: 1 } } as const;
    for (let i = 0; i < 40; i++) {
      const tokens = Array.from({ length: 1000 }, (_, position) => i * 1000 + position);
      simulation.plan(20_000 + i * 1000, 0, { ...ask, tokens, maxTokens: 3, stopTokens: [] });
    }
    simulation.run();
    return simulation;
  };
  const plant: Plant = (node) => {
    const { handle } = node;
    node.handle = (input, nowMs) => handle.call(node, input, nowMs).filter(({ kind }) => kind !== 'withdraw');
  };
  expect(run().mostWaitingBytes).toBeLessThan(10e6);
  expect(run(plant).mostWaitingBytes).toBeGreaterThan(30e6);
});

test('two proposals of one epoch that are both taken are found', () => {
  const changes = { ...PIPELINE, ...NO_FAULTS, thinkSeconds: [8, 9] as const, linkMs: [20, 40] as const };
  // two people place the model at the same time, in different pieces
  const run = (plant?: Plant) => {
    const simulation = new Simulation({ ...constantsFor(3, 0.02, 7), ...changes }, plant);
    const [a, b] = simulation.devices.map(({ id }) => id) as [string, string];
    [5, 7].forEach((cut, device) => {
      const stages = [
        { device: a, first: 0, last: cut },
        { device: b, first: cut, last: 12 },
      ];
      simulation.plan(4000, device, { kind: 'place', model: 'model-0', stages });
    });
    simulation.run();
    return simulation;
  };
  expect(isClean(run())).toBe(true);
  // the proposer is no part of the name: whoever hears of one first keeps it for both
  const plant: Plant = ({ book, records, stages }) => {
    const { add } = book;
    const ofEpoch = (model: string, epoch: number) =>
      book.of(model).find(({ placement }) => placement.id.epoch === epoch)?.placement;
    book.add = (placement, nowMs) =>
      ofEpoch(placement.id.model, placement.id.epoch) === undefined && add.call(book, placement, nowMs);
    records.stage = (device, model) => records.of(device)?.stages.find(({ placement }) => placement.model === model);
    const { prepare } = stages;
    stages.prepare = (from, message) => {
      const { model, epoch } = message.placement.id;
      prepare.call(stages, from, { ...message, placement: ofEpoch(model, epoch) ?? message.placement });
    };
  };
  expect(isClean(run(plant))).toBe(false);
});
