import { expect, test, vi } from 'vitest';
import type { Effect } from '../../mesh/room/io.ts';
import { stateOf } from '../../mesh/room/test-states.ts';
import { RoomHost } from './room-host.ts';
import { payloads, type Rows } from './rows.ts';

test('a message that cannot be sent takes no other effect with it', () => {
  const stored: string[] = [];
  const troubles: unknown[] = [];
  const tooLong = new RangeError('too long');
  const link = {
    sendControl: () => {
      throw tooLong;
    },
  };
  const host = new RoomHost({
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
    links: { to: () => link as never, call: () => {}, disconnect: () => {} },
    stages: {} as never,
    store: { store: ({ head }: { head: { session: string } }) => stored.push(head.session) } as never,
    now: () => 0,
    onSession: () => {},
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
