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
  return { host, sent, effects, prepare };
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
