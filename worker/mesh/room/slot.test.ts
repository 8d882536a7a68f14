import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { AHEAD_TOKENS, CHUNK_ROWS, WINDOW_ROWS } from './constants.ts';
import type { Effect, Payloads, RunEffect } from './io.ts';
import type { ControlMessage, Frame, StartMessage } from './messages.ts';
import type { Post } from './post.ts';
import { Slot } from './slot.ts';

const payloads: Payloads<number[]> = {
  bytes: (rows) => rows.length * 2,
  slice: (rows, from, to) => rows.slice(from, to),
  join: (parts) => parts.flat(),
};
const stage = { model: 'm', first: 4, last: 8 };

let effects: Effect<number[]>[] = [];
let sent: ControlMessage[] = [];
let frames: { to: string; frame: Frame<number[]> }[] = [];
const post: Post<number[]> & { nowMs: number } = {
  device: 'here',
  nowMs: 0,
  reaches: () => true,
  emit: (effect) => effects.push(effect),
  send: (_, message) => sent.push(message),
  sendFrame: (to, frame) => frames.push({ to, frame }),
};

beforeEach(() => {
  effects = [];
  sent = [];
  frames = [];
});

const MIDDLE = ['before', 'here', 'after'];
const CONTEXT_TOKENS = 2000;

function prepared(attempt: number, devices = MIDDLE): Slot<number[]> {
  const slot = new Slot(3, stage, 's', 'driver', post, payloads, CONTEXT_TOKENS);
  prepare(slot, attempt, devices);
  return slot;
}

function prepare(slot: Slot<number[]>, attempt: number, devices = MIDDLE): void {
  const stages = devices.map((device, i) => ({ device, first: i * 4, last: i * 4 + 4 }));
  const placement = { id: { model: 'm', epoch: 256, proposer: 'a' }, stages, spares: [] };
  slot.prepare({ kind: 'prepare', session: 's', attempt, placement, stage: devices.indexOf('here') });
}

function start(parts: Partial<StartMessage> = {}): StartMessage {
  return {
    kind: 'start',
    session: 's',
    attempt: 1,
    stage: 1,
    slot: 3,
    begin: 0,
    known: 20,
    previous: { device: 'before', slot: 1 },
    next: { device: 'after', slot: 2, begin: 0 },
    first: null,
    sampler: null,
    ...parts,
  };
}

function rowsFrame(first: number, rows: number, attempt = 1, epoch = 256, session = 's'): Frame<number[]> {
  const payload = Array.from({ length: rows }, (_, i) => first + i);
  return { kind: 'rows', epoch, session, attempt, slot: 3, first, rows, sample: false, payload };
}

const runs = () => effects.filter((effect): effect is RunEffect<number[]> => effect.kind === 'run');

function compute(slot: Slot<number[]>, run: RunEffect<number[]>): void {
  const { session, attempt, first, rows } = run;
  const output = Array.from({ length: rows }, (_, i) => 1000 + first + i);
  slot.computed({ kind: 'computed', slot: 3, session, attempt, first, rows, output });
}

test('a stage computes each position once and in order, whatever comes', () => {
  const frame = fc.oneof(
    { weight: 3, arbitrary: fc.constant('next' as const) },
    fc.record({
      first: fc.nat(40),
      rows: fc.integer({ min: 1, max: 5 }),
      attempt: fc.integer({ min: 0, max: 2 }),
      epoch: fc.constantFrom(256, 512),
      session: fc.constantFrom('s', 'other'),
    }),
    fc.constant('computed' as const),
  );
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 60 }), (steps) => {
      effects = [];
      frames = [];
      const slot = prepared(1);
      slot.start(start());
      let next = 0;
      let computed = 0;
      for (const one of steps) {
        if (one === 'computed') {
          const run = runs()[computed];
          if (run !== undefined) {
            compute(slot, run);
            computed++;
          }
        } else if (one === 'next') {
          if (slot.phase === 'running') next += 2;
          slot.frame('before', rowsFrame(next - 2, 2));
        } else {
          const isNext = one.first === next && one.attempt === 1 && one.epoch === 256 && one.session === 's';
          if (isNext && slot.phase === 'running') next += one.rows;
          slot.frame('before', rowsFrame(one.first, one.rows, one.attempt, one.epoch, one.session));
        }
      }
      let position = 0;
      for (const run of runs()) {
        expect(run.first).toBe(position);
        expect(run.input).toEqual(Array.from({ length: run.rows }, (_, i) => position + i));
        position += run.rows;
      }
      expect(position).toBeLessThanOrEqual(next);
      let sentTo = 0;
      for (const { to, frame: out } of frames) {
        if (out.kind !== 'rows') continue;
        expect(to).toBe('after');
        expect(out.first).toBe(sentTo);
        expect(out.payload).toEqual(Array.from({ length: out.rows }, (_, i) => 1000 + sentTo + i));
        sentTo += out.rows;
      }
    }),
  );
});

test('a row that is missing ends the attempt and tells the driver', () => {
  const slot = prepared(1);
  slot.start(start());
  slot.frame('before', rowsFrame(0, 4));
  slot.frame('before', rowsFrame(6, 2));
  expect(slot.phase).toBe('idle');
  expect(sent.at(-1)).toEqual({ kind: 'broken', session: 's', attempt: 1 });
});

test('rows that come before the start wait for it', () => {
  const slot = prepared(1);
  slot.frame('before', rowsFrame(0, 4));
  expect(runs()).toHaveLength(0);
  slot.start(start());
  expect(runs().map(({ first, rows }) => [first, rows])).toEqual([[0, 4]]);
});

test('a new attempt sends again what the next stage lacks, and computes only what is new', () => {
  const slot = prepared(1);
  slot.start(start());
  slot.frame('before', rowsFrame(0, 20));
  compute(slot, runs()[0] as RunEffect<number[]>);
  prepare(slot, 2, ['before', 'here', 'new']);
  expect(sent.at(-1)).toMatchObject({ kind: 'prepared', attempt: 2, at: 1, have: 20, retained: 0 });
  frames = [];
  slot.start(start({ attempt: 2, begin: 19, next: { device: 'new', slot: 7, begin: 5 } }));
  const rows = frames.map(({ to, frame }) => ({ to, ...frame }));
  expect(rows).toMatchObject([{ to: 'new', slot: 7, attempt: 2, first: 5, rows: 14 }]);
  expect(rows[0]).toMatchObject({ payload: Array.from({ length: 14 }, (_, i) => 1005 + i) });
  slot.frame('before', rowsFrame(19, 1, 2));
  expect(runs().at(-1)).toMatchObject({ first: 19, rows: 1, attempt: 2 });
});

test('rows from another device than the stage before, and progress that the next did not make, count for nothing', () => {
  const slot = prepared(1);
  slot.start(start());
  slot.frame('after', rowsFrame(0, 4));
  slot.frame('stranger', rowsFrame(0, 4));
  expect(runs()).toHaveLength(0);
  expect(slot.dropped).toBe(2);
  slot.frame('before', rowsFrame(0, 4));
  expect(runs()).toHaveLength(1);
});

test('what was computed for an older attempt changes nothing', () => {
  const slot = prepared(1);
  slot.start(start());
  slot.frame('before', rowsFrame(0, 4));
  const old = runs()[0] as RunEffect<number[]>;
  prepare(slot, 2);
  frames = [];
  compute(slot, old);
  expect(frames).toHaveLength(0);
  prepare(slot, 3);
  expect(sent.at(-1)).toMatchObject({ attempt: 3, have: 0 });
});

test('a prompt has at most four chunks on their way, a token none that the driver has not nearly stored', () => {
  const known = 10 * CHUNK_ROWS;
  const slot = prepared(1, ['here', 'after']);
  const tokens = Array.from({ length: known }, (_, i) => i);
  const fence = { epoch: 256, session: 's', attempt: 1, slot: 3 };
  slot.start(start({ known, previous: null, next: { device: 'after', slot: 2, begin: 0 } }));
  slot.frame('driver', { kind: 'tokens', ...fence, first: 0, tokens });
  expect(runs().reduce((sum, { rows }) => sum + rows, 0)).toBe(WINDOW_ROWS);
  let done = 0;
  for (; done < runs().length; done++) {
    compute(slot, runs()[done] as RunEffect<number[]>);
    slot.frame('after', {
      kind: 'progress',
      ...fence,
      first: (runs()[done] as RunEffect<number[]>).first + CHUNK_ROWS,
    });
  }
  expect(done).toBe(10);
  for (let position = known; position < known + 100; position++) {
    slot.frame('driver', { kind: 'tokens', ...fence, first: position, tokens: [7] });
  }
  expect(runs().length - 10).toBe(AHEAD_TOKENS);
  slot.frame('driver', { kind: 'acknowledgement', ...fence, first: known + 30 });
  expect(runs().length - 10).toBe(AHEAD_TOKENS + 30);
});

test('rows that wait to go are not wanted once their attempt is over, and one that is slow to send them says so', () => {
  const slot = prepared(1);
  slot.start(start());
  slot.frame('before', rowsFrame(0, 20));
  compute(slot, runs()[0] as RunEffect<number[]>);
  frames = [];
  slot.tick();
  slot.rowsGo('before');
  slot.tick();
  expect(frames).toEqual([]);
  post.nowMs = 5000;
  slot.rowsGo('after');
  slot.tick();
  slot.tick();
  expect(frames).toMatchObject([{ to: 'driver', frame: { kind: 'progress', first: 20 } }]);
  const withdrawn = () => effects.filter(({ kind }) => kind === 'withdraw');
  expect(withdrawn()).toEqual([]);
  prepare(slot, 2);
  expect(withdrawn()).toEqual([{ kind: 'withdraw', peer: 'after', session: 's', slot: 2, attempt: 1 }]);
  slot.halt();
  expect(withdrawn()).toHaveLength(1);
  post.nowMs = 0;
});

test('while much waits to leave the device a stage computes one chunk beyond what the next has, and no claim makes it more', () => {
  let crowded = true;
  const slot = new Slot(3, stage, 's', 'driver', post, payloads, CONTEXT_TOKENS, undefined, () => crowded);
  prepare(slot, 1, ['here', 'after']);
  const known = 8 * CHUNK_ROWS;
  const fence = { epoch: 256, session: 's', attempt: 1, slot: 3 };
  slot.start(start({ stage: 0, known, previous: null, next: { device: 'after', slot: 2, begin: 0 } }));
  slot.frame('driver', { kind: 'tokens', ...fence, first: 0, tokens: new Array<number>(known).fill(1) });
  expect(runs()).toHaveLength(1);
  compute(slot, runs()[0] as RunEffect<number[]>);
  expect(slot.waitingBytes).toBe(2 * CHUNK_ROWS);
  slot.frame('after', { kind: 'progress', ...fence, first: known });
  expect(runs()).toHaveLength(2);
  crowded = false;
  slot.tick();
  expect(runs().reduce((sum, { rows }) => sum + rows, 0)).toBe(CHUNK_ROWS + WINDOW_ROWS);
  expect(slot.waitingBytes).toBe(2 * WINDOW_ROWS);
  slot.halt();
  expect(slot.waitingBytes).toBe(0);
});

test('of frames before the start those of strangers are not kept, and of tokens no more than a conversation has', () => {
  const slot = prepared(1, ['here', 'after']);
  const fence = { epoch: 256, session: 's', attempt: 1, slot: 3 };
  const tokens = new Array<number>(1000).fill(1);
  for (let i = 0; i < 10; i++) slot.frame('stranger', { kind: 'tokens', ...fence, first: i * 1000, tokens });
  slot.frame('stranger', rowsFrame(0, 4));
  slot.frame('stranger', { kind: 'acknowledgement', ...fence, first: 9 });
  expect(slot.dropped).toBe(12);
  expect(slot.phase).toBe('prepared');
  for (let i = 0; i < 3; i++) slot.frame('driver', { kind: 'tokens', ...fence, first: i * 1000, tokens });
  expect(slot.phase).toBe('idle');
  expect(sent.at(-1)?.kind).toBe('broken');
});

test('nor does a stage take more tokens or rows than a conversation has while it runs', () => {
  const fence = { epoch: 256, session: 's', attempt: 1, slot: 3 };
  const tokens = new Array<number>(CONTEXT_TOKENS + 1).fill(1);
  const first = prepared(1, ['here', 'after']);
  first.start(start({ previous: null, stage: 0 }));
  first.frame('driver', { kind: 'tokens', ...fence, first: 0, tokens });
  expect(first.phase).toBe('idle');
  const middle = prepared(1);
  middle.start(start());
  middle.frame('driver', { kind: 'tokens', ...fence, first: 0, tokens: [1] });
  expect(middle.dropped).toBe(1);
  middle.frame('before', rowsFrame(0, CONTEXT_TOKENS + 1));
  expect(middle.phase).toBe('idle');
});

test('a start that makes of a stage what its layers are not is refused', () => {
  const wrong: Partial<StartMessage>[] = [
    { previous: null },
    { next: null, first: { device: 'before', slot: 0 } },
    { previous: { device: 'stranger', slot: 0 } },
    { first: { device: 'before', slot: 0 } },
    { known: CONTEXT_TOKENS + 1 },
  ];
  for (const parts of wrong) {
    const slot = prepared(1);
    slot.start(start(parts));
    expect(slot.phase).toBe('idle');
    expect(sent.at(-1)).toMatchObject({ kind: 'refused', attempt: 1, reason: 'no-stage' });
  }
});
