/** One device alone in a room, with an engine that the tests play. */
import { expect, test } from 'vitest';
import type { Effect, Input, RunEffect } from './io.ts';
import { RoomNode } from './node.ts';
import { stateOf } from './test-states.ts';

const LAYERS = 4;

/** Holds one model at a time. */
class Alone {
  nowMs = 0;
  readonly effects: Effect<number[]>[] = [];
  readonly node: RoomNode<number[]>;
  /** How long a run takes, each behind the one before. */
  runMs = 0;
  #busyMs = 0;
  readonly #due: { readonly atMs: number; readonly run: RunEffect<number[]> }[] = [];

  constructor(slots = 8) {
    this.node = new RoomNode({
      device: 'a',
      incarnation: 1,
      address: 'a.1',
      name: 'a',
      version: { app: '0', wire: 1 },
      profile: { ...stateOf('a').profile, budgetBytes: LAYERS },
      payloads: {
        bytes: (rows) => rows.length,
        slice: (rows, from, to) => rows.slice(from, to),
        join: (p) => p.flat(),
      },
      models: { layers: () => LAYERS, bytes: (_, first, last) => last - first, slots: () => slots },
      isMember: () => true,
      random: () => 0.5,
    });
  }

  feed(input: Input<number[]>): void {
    const todo = [input];
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      for (const effect of this.node.handle(next, this.nowMs)) {
        this.effects.push(effect);
        if (effect.kind === 'load') todo.push({ kind: 'stage-ready', stage: effect.stage });
        if (effect.kind === 'store') {
          todo.push({ kind: 'stored', session: effect.head.session, ticket: effect.ticket });
        }
        if (effect.kind === 'halt')
          this.#due.splice(0, this.#due.length, ...this.#due.filter((due) => due.run.slot !== effect.slot));
        if (effect.kind === 'run') {
          this.#busyMs = Math.max(this.#busyMs, this.nowMs) + this.runMs;
          this.#due.push({ atMs: this.#busyMs, run: effect });
        }
      }
    }
  }

  /** Lets time pass until `done` or for so long; true where it came to it. */
  until(done: () => boolean, ms: number): boolean {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs && !done(); this.nowMs += 250) {
      for (let due = this.#due[0]; due !== undefined && due.atMs <= this.nowMs; due = this.#due[0]) {
        this.#due.shift();
        const { slot, session, attempt, first, rows, sample } = due.run;
        this.feed({ kind: 'computed', slot, session, attempt, first, rows, ...(sample ? { tokens: [7] } : {}) });
      }
      this.feed({ kind: 'tick' });
    }
    return done();
  }

  ask(session: string, model: string, tokens: readonly number[], maxTokens = 3): void {
    this.feed({ kind: 'answer', session, model, tokens, maxTokens, stopTokens: [], sampler: {} });
  }

  all<K extends Effect<number[]>['kind']>(kind: K): Extract<Effect<number[]>, { kind: K }>[] {
    return this.effects.filter((effect): effect is Extract<Effect<number[]>, { kind: K }> => effect.kind === kind);
  }

  hasAnswered =
    (session: string, times = 1) =>
    () =>
      this.all('answered').filter((effect) => effect.session === session).length >= times;
}

test('what a stage held of a session is gone with the stage, also when it is loaded again', () => {
  const room = new Alone();
  const prompt = new Array<number>(50).fill(1);
  room.ask('s', 'first', prompt);
  expect(room.until(room.hasAnswered('s'), 5000)).toBe(true);
  room.until(() => false, 70_000); // nobody needs it for a while
  room.ask('t', 'second', [2, 2]);
  expect(room.until(room.hasAnswered('t'), 5000)).toBe(true);
  expect(room.all('unload').map(({ stage }) => stage.model)).toEqual(['first']);
  room.until(() => false, 70_000);
  room.ask('s', 'first', [...prompt, 7, 7, 7, 3]);
  expect(room.until(room.hasAnswered('s', 2), 5000)).toBe(true);
  expect(room.all('begin').map(({ keep }) => keep)).toEqual([0, 0, 0]);
});

test('a session goes on from what its stage holds while that stays loaded', () => {
  const room = new Alone();
  const prompt = new Array<number>(50).fill(1);
  room.ask('s', 'first', prompt);
  expect(room.until(room.hasAnswered('s'), 5000)).toBe(true);
  room.ask('s', 'first', [...prompt, 7, 7, 7, 3]);
  expect(room.until(room.hasAnswered('s', 2), 5000)).toBe(true);
  expect(room.all('begin').map(({ keep }) => keep)).toEqual([0, 52]);
});

test('a prompt of which each chunk takes long is read once', () => {
  const room = new Alone();
  room.runMs = 20_000;
  room.ask('s', 'first', new Array<number>(400).fill(1));
  expect(room.until(room.hasAnswered('s'), 600_000)).toBe(true);
  expect(room.all('begin')).toHaveLength(1);
});

test('how far a prompt is read is told from the start, each step once, and what is held already counts', () => {
  const room = new Alone();
  room.runMs = 3000;
  const prompt = new Array<number>(300).fill(1);
  room.ask('s', 'first', prompt);
  expect(room.until(() => room.all('tokens').length > 0, 60_000)).toBe(true);
  const told = room.all('prefill').map(({ done, total }) => [done, total]);
  expect(told).toEqual([0, 128, 256, 300].map((done) => [done, 300]));
  expect(room.until(room.hasAnswered('s'), 60_000)).toBe(true);
  const before = room.all('prefill').length;
  room.ask('s', 'first', [...prompt, 7, 7, 7, 3]);
  expect(room.until(room.hasAnswered('s', 2), 60_000)).toBe(true);
  expect(room.all('prefill')[before]).toMatchObject({ done: 302, total: 304 });
});

test('several that share a slow engine wait for one another, and are not begun again', () => {
  const room = new Alone();
  room.runMs = 4000;
  for (const session of ['r', 's', 't', 'u']) room.ask(session, 'first', new Array<number>(300).fill(1));
  expect(room.until(() => room.all('answered').length === 4, 600_000)).toBe(true);
  expect(room.all('begin')).toHaveLength(4);
});

test('an engine that gives nothing for a minute is taken for stuck', () => {
  const room = new Alone();
  room.runMs = 1e9;
  room.ask('s', 'first', [1, 2, 3]);
  expect(room.until(() => room.all('begin').length > 1, 59_000)).toBe(false);
  expect(room.until(() => room.all('begin').length > 1, 15_000)).toBe(true);
});

test('who lost its slot to one that runs is begun again when that has ended, not before', () => {
  const room = new Alone();
  room.runMs = 3000;
  const prompt = new Array<number>(300).fill(1);
  room.ask('r', 'first', prompt, 20);
  room.ask('s', 'first', prompt, 2);
  expect(room.until(() => room.all('begin').length === 2, 5000)).toBe(true);
  const slot = room.all('begin').find(({ session }) => session === 's')?.slot ?? -1;
  room.feed({ kind: 'slot-lost', slot, session: 's' });
  expect(room.until(room.hasAnswered('s'), 600_000)).toBe(true);
  const order = room.effects.flatMap((effect) =>
    effect.kind === 'begin' || effect.kind === 'answered' ? `${effect.kind} ${effect.session}` : [],
  );
  expect(order).toEqual(['begin r', 'begin s', 'answered r', 'begin s', 'answered s']);
  expect(room.all('status').map(({ status }) => status)).toContainEqual({ kind: 'waiting', reason: 'busy' });
});

test('one that lost its idle slot waits for nobody', () => {
  const room = new Alone();
  room.ask('s', 'first', [1, 2, 3]);
  expect(room.until(room.hasAnswered('s'), 5000)).toBe(true);
  room.runMs = 3000;
  room.ask('r', 'first', new Array<number>(300).fill(1), 20);
  room.until(() => false, 2000);
  room.feed({ kind: 'slot-lost', slot: room.all('begin')[0]?.slot ?? -1, session: 's' });
  room.ask('s', 'first', [1, 2, 3, 7, 7, 7, 4]);
  expect(room.until(() => room.all('begin').filter(({ session }) => session === 's').length === 2, 3000)).toBe(true);
});

test('a lowered budget is kept to once nobody needs what is over it; a raised one is used', () => {
  const room = new Alone();
  room.ask('s', 'first', [1, 2, 3]);
  expect(room.until(room.hasAnswered('s'), 5000)).toBe(true);
  room.feed({ kind: 'budget', bytes: LAYERS - 1 });
  room.until(() => false, 5000);
  expect(room.all('unload')).toEqual([]);
  expect(room.node.records.of('a')).toMatchObject({ freeBytes: 0, profile: { budgetBytes: LAYERS - 1 } });
  expect(room.until(() => room.all('unload').length === 1, 120_000)).toBe(true);
  const loads = room.all('load').length;
  room.feed({ kind: 'budget', bytes: LAYERS });
  expect(room.until(() => room.all('load').length > loads, 10_000)).toBe(true);
});

test('a placement that is remembered from before is loaded again', () => {
  const room = new Alone();
  const id = { model: 'first', epoch: 1280, proposer: 'b' };
  const stages = [
    { device: 'a', first: 0, last: 3 },
    { device: 'b', first: 3, last: LAYERS },
  ];
  room.feed({ kind: 'remember', placements: [{ id, stages, spares: [] }] });
  expect(room.until(() => room.all('load').length === 1, 5000)).toBe(true);
  expect(room.all('load')[0]?.stage).toEqual({ model: 'first', first: 0, last: 3 });
  expect(room.node.book.highest('first')?.placement.id).toEqual(id);
});
