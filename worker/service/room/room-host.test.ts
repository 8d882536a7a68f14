import { expect, test, vi } from 'vitest';
import type { Effect } from '../../mesh/room/io.ts';
import { stateOf } from '../../mesh/room/test-states.ts';
import { RoomHost, type RoomHostOptions } from './room-host.ts';
import { payloads, type Rows } from './rows.ts';

function hostOver(link: object, { call = vi.fn(), ...options }: Partial<RoomHostOptions> & { call?: () => void } = {}) {
  return new RoomHost({
    room: {
      device: 'a',
      incarnation: 1,
      address: 'a.1',
      name: 'a',
      version: { app: '0', wire: 1 },
      profile: stateOf('a').profile,
      payloads,
      models: { layers: () => 4, bytes: () => 1, slots: () => 1 },
      isMember: () => true,
      random: () => 0.5,
    },
    links: { to: () => link as never, call, disconnect: () => {} },
    stages: {} as never,
    store: {} as never,
    now: () => 0,
    onSession: () => {},
    onTrouble: (error) => {
      throw error;
    },
    ...options,
  });
}

function rowsOf(attempt: number, bytes: number): Effect<Rows> {
  const fence = { epoch: 1, session: '5'.repeat(16), attempt, slot: 2, first: 0 };
  const payload: Rows = { type: 'f16', bytes: new Uint8Array(bytes) };
  return { kind: 'frame', peer: 'b', frame: { kind: 'rows', ...fence, rows: 1, sample: false, payload } };
}

test('frames behind a full link are not sent when their attempt is over, and say that they wait while the link carries', async () => {
  let room = () => {};
  let isFull = true;
  const sent: number[] = [];
  const withdrawn: unknown[] = [];
  const link = {
    closed: false,
    sendControl: () => true,
    sendFrame: ({ attempt }: { attempt: number }) => !isFull && sent.push(attempt) > 0,
    withdraw: (...what: unknown[]) => withdrawn.push(what),
    moving: () => ['a'],
    drained: () =>
      new Promise<void>((resolve) => {
        room = resolve;
      }),
  };
  const host = hostOver(link);
  host.linked('b');
  const { handle } = host.node;
  const session = '5'.repeat(16);
  const say = (effects: Effect<Rows>[]) => {
    vi.spyOn(host.node, 'handle').mockReturnValueOnce(effects);
    host.feed({ kind: 'beat', peer: 'b' });
  };
  say([rowsOf(1, 8), rowsOf(1, 8), rowsOf(2, 8)]);
  const heard: unknown[] = [];
  host.node.handle = (input, nowMs) => {
    heard.push(input);
    return handle.call(host.node, input, nowMs);
  };
  host.feed({ kind: 'tick' });
  expect(heard).toEqual([{ kind: 'moving', peer: 'b', sessions: ['a', session] }, { kind: 'tick' }]);
  say([{ kind: 'withdraw', peer: 'b', session, slot: 2, attempt: 1 }]);
  expect(withdrawn).toEqual([[session, 2, 1]]);
  isFull = false;
  room();
  await Promise.resolve();
  expect(sent).toEqual([2]);
});

test('a link behind which more waits than slots can have on its way is closed', () => {
  const close = vi.fn();
  const link = {
    closed: false,
    sendControl: () => true,
    sendFrame: () => false,
    close,
    drained: () => new Promise(() => {}),
  };
  const host = hostOver(link);
  const payload = rowsOf(1, 2 ** 23);
  vi.spyOn(host.node, 'handle').mockReturnValue([payload]);
  for (let i = 0; i < 15; i++) host.feed({ kind: 'beat', peer: 'b' });
  expect(close).not.toHaveBeenCalled();
  host.feed({ kind: 'beat', peer: 'b' });
  expect(close).toHaveBeenCalledWith('stalled');
});

test('a message that cannot be sent takes no other effect with it', () => {
  const stored: string[] = [];
  const troubles: unknown[] = [];
  const tooLong = new RangeError('too long');
  const link = {
    sendControl: () => {
      throw tooLong;
    },
  };
  const host = hostOver(link, {
    store: { store: ({ head }: { head: { session: string } }) => stored.push(head.session) } as never,
    onTrouble: (error) => troubles.push(error),
  });
  const head = {
    session: 's',
    model: 'm',
    attempts: { last: 1, forgotten: 0, kept: [] },
    answering: true,
    limit: 9,
    stopTokens: [],
    sampler: null,
  };
  const effects: Effect<Rows>[] = [
    { kind: 'send', peer: 'b', message: { kind: 'goodbye' } },
    { kind: 'store', ticket: 1, head, from: 0, tokens: [1] },
  ];
  vi.spyOn(host.node, 'handle').mockReturnValue(effects);
  host.feed({ kind: 'tick' });
  expect(stored).toEqual(['s']);
  expect(troubles).toEqual([tooLong]);
});

test('whom a record names is called as one whom members know, so that no stranger takes its place', () => {
  const call = vi.fn();
  const host = hostOver({}, { call });
  vi.spyOn(host.node, 'handle').mockReturnValueOnce([{ kind: 'connect', peer: 'c', address: 'c.1' }]);
  host.feed({ kind: 'beat', peer: 'b' });
  expect(call.mock.calls).toEqual([[['c.1'], 'by members']]);
});
