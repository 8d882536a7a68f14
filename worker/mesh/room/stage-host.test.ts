import { expect, test } from 'vitest';
import type { Placement } from '../types.ts';
import type { Effect } from './io.ts';
import type { ControlMessage } from './messages.ts';
import { StageHost } from './stage-host.ts';

const placement: Placement = {
  id: { model: 'm', epoch: 256, proposer: 'a' },
  stages: [
    { device: 'before', first: 0, last: 2 },
    { device: 'here', first: 2, last: 4 },
    { device: 'after', first: 4, last: 6 },
  ],
  spares: [],
};

function stageHost() {
  const sent: { to: string; message: ControlMessage }[] = [];
  const effects: Effect<number[]>[] = [];
  const post = {
    device: 'here',
    nowMs: 0,
    reaches: () => true,
    emit: (effect: Effect<number[]>) => void effects.push(effect),
    send: (to: string, message: ControlMessage) => void sent.push({ to, message }),
    sendFrame: () => {},
  };
  const payloads = {
    bytes: (rows: number[]) => rows.length,
    slice: (rows: number[], from: number, to: number) => rows.slice(from, to),
    join: (parts: readonly number[][]) => parts.flat(),
  };
  const models = { layers: () => 6, bytes: () => 1, slots: () => 8, contextTokens: () => 100 };
  const host = new StageHost<number[]>(post, payloads, models, () => true);
  const prepare = (from: string, attempt: number, parts: { placement?: Placement; stage?: number } = {}) =>
    host.prepare(from, { kind: 'prepare', session: 's', attempt, placement, stage: 1, ...parts });
  return { host, post, sent, effects, prepare };
}

test('who takes the id of another’s session first takes nothing from it', () => {
  const { host, sent, prepare } = stageHost();
  prepare('thief', 900);
  prepare('owner', 1);
  const slots = sent.map(({ to, message }) => ({ to, kind: message.kind, slot: 'slot' in message && message.slot }));
  expect(slots).toEqual([
    { to: 'thief', kind: 'prepared', slot: 0 },
    { to: 'owner', kind: 'prepared', slot: 1 },
  ]);
  host.forget('thief', 's');
  prepare('owner', 2);
  expect(sent.at(-1)).toMatchObject({ to: 'owner', message: { kind: 'prepared', slot: 1, attempt: 2 } });
});

test('a placement that ends before the model does, or goes beyond it, is refused', () => {
  const { sent, prepare } = stageHost();
  prepare('owner', 1, { placement: { ...placement, stages: placement.stages.slice(0, 2) } });
  expect(sent.at(-1)?.message).toMatchObject({ kind: 'refused', reason: 'no-stage' });
});

test('what a session retained goes a minute after its attempt ended, and with its stage', () => {
  const { host, post, sent, prepare } = stageHost();
  const compute = (attempt: number, begin: number) => {
    prepare('owner', attempt);
    const ends = { previous: { device: 'before', slot: 0 }, next: { device: 'after', slot: 0, begin } };
    const start = { kind: 'start', session: 's', attempt, stage: 1, slot: 0, begin, known: 50, ...ends } as const;
    host.start('owner', { ...start, first: null, sampler: null });
    const run = { slot: 0, session: 's', attempt, first: begin, rows: 4 };
    host.frame('before', { kind: 'rows', epoch: 256, ...run, sample: false, payload: [1, 2, 3, 4] });
    host.computed({ kind: 'computed', ...run, output: [1, 2, 3, 4] });
    host.stop('owner', 's', attempt);
  };
  compute(1, 0);
  expect(host.retained.bytes).toBe(4);
  post.nowMs = 59_000;
  host.tick();
  expect(host.retained.bytes).toBe(4);
  post.nowMs = 60_000;
  host.tick();
  expect(host.retained.bytes).toBe(0);
  prepare('owner', 2);
  expect(sent.at(-1)?.message).toMatchObject({ have: 4, retained: 4 });
  compute(3, 4);
  expect(host.retained.bytes).toBe(4);
  host.stageLost({ model: 'm', first: 2, last: 4 });
  expect(host.retained.bytes).toBe(0);
});
