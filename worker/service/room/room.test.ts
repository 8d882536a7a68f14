import { afterEach, describe, expect, test } from 'vitest';
import { namesOfRoom, openDevice } from '../../mesh/identity/index.ts';
import type { ToWindow } from '../../mesh/link/index.ts';
import { stateOf } from '../../mesh/room/test-states.ts';
import { Room } from './room.ts';

const rooms: Room[] = [];
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.close();
});

/** A device on its way in, and whom its window was asked to call. */
async function newcomer(): Promise<{ room: Room; called: () => string[] }> {
  const device = await openDevice({ locks: undefined, slotBefore: undefined });
  const names = await namesOfRoom('A'.repeat(22));
  const posted: ToWindow[] = [];
  let state = 1;
  const room = new Room(
    {
      device,
      key: await device.keyFor(names.secret),
      names,
      name: 'Laptop',
      profile: stateOf('a').profile,
      appVersion: '0',
      wireVersion: 1,
      models: {} as never,
      stages: () => ({}) as never,
      store: () => ({}) as never,
      now: () => 0,
      random: () => {
        state = (state * 16_807) % 2_147_483_647;
        return state / 2_147_483_647;
      },
      post: (message) => posted.push(message),
      onSession: () => {},
      onMembers: () => {},
      onRemoved: () => {},
      onTrouble: (error) => {
        throw error;
      },
    },
    { inviteKey: 'B'.repeat(22) },
  );
  rooms.push(room);
  const called = () => posted.splice(0).flatMap((message) => (message.kind === 'call' ? message.addresses : []));
  return { room, called };
}

describe('a newcomer', () => {
  const dead = Array.from({ length: 20 }, (_, i) => `dead${i}`);

  test('comes to a device that answers, however many dead ones are listed before it', async () => {
    const { room, called } = await newcomer();
    const addresses = [...dead, 'alive'];
    const all = new Set<string>();
    for (let turn = 0; turn < 7; turn++) {
      room.links.receive({ kind: 'listed', addresses });
      const now = called();
      expect(now).toHaveLength(3);
      for (const address of now) all.add(address);
    }
    expect(all).toEqual(new Set(addresses));
  });

  test('goes on with the next as soon as a call has come to nothing', async () => {
    const { room, called } = await newcomer();
    room.links.receive({ kind: 'listed', addresses: [...dead, 'alive'] });
    const tried = called();
    while (!tried.includes('alive')) {
      const address = tried.at(-1) ?? '';
      room.links.receive({ kind: 'unreachable', address, stage: 'signaling' });
      const next = called();
      expect(next).toHaveLength(1);
      expect(tried).not.toContain(next[0]);
      tried.push(...next);
    }
  });
});
