import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LAST_COUNTER } from '../../mesh/room/constants.ts';
import type { Effect } from '../../mesh/room/io.ts';
import { RoomNode } from '../../mesh/room/node.ts';
import { stateOf } from '../../mesh/room/test-states.ts';
import { roomCodec, writeMessage } from './room-schemas.ts';

const SELF = 'AAAAAAAAAAAAAAAAAAAAAA';
const MEMBER = 'BBBBBBBBBBBBBBBBBBBBBA';

function node(): RoomNode<number[]> {
  return new RoomNode({
    device: SELF,
    incarnation: 1,
    address: 'x',
    name: 'Laptop',
    version: { app: '0', wire: 1 },
    profile: stateOf(SELF).profile,
    payloads: { bytes: (rows) => rows.length, slice: (rows, from, to) => rows.slice(from, to), join: (p) => p.flat() },
    models: { layers: () => 4, bytes: () => 10, slots: () => 2 },
    isMember: (device) => device === SELF || device === MEMBER,
    random: () => 0.5,
  });
}

/** All that is sent arrives as what peers take. */
function sent(effects: readonly Effect<number[]>[]) {
  return effects.flatMap((effect) => {
    if (effect.kind !== 'send') return [];
    const read = roomCodec.decode(roomCodec.encode(writeMessage(effect.message)));
    expect(read).toHaveProperty('message');
    return [effect.message];
  });
}

test('whatever others say of a device, what it says next is taken by its peers', () => {
  const number = fc.oneof(fc.nat(2000), fc.constantFrom(2 ** 24, 2 ** 47, 2 ** 48), fc.nat(2 ** 48));
  const pair = fc.record({ incarnation: number, counter: number });
  fc.assert(
    fc.property(fc.array(pair, { minLength: 1, maxLength: 8 }), (pairs) => {
      const room = node();
      let nowMs = 0;
      room.handle({ kind: 'link-open', peer: MEMBER }, nowMs);
      for (const lie of pairs) {
        const states = [stateOf(SELF, { ...lie, name: 'lie' })];
        const message = { type: 'gossip', states, placements: [] } as const;
        expect(roomCodec.decode(roomCodec.encode(writeMessage(message)))).toHaveProperty('message');
        sent(room.handle({ kind: 'control', peer: MEMBER, message }, nowMs));
        nowMs += 250;
        const messages = sent(room.handle({ kind: 'tick' }, nowMs));
        sent(room.handle({ kind: 'presence', visible: nowMs % 500 === 0, wakeLock: false }, nowMs));
        expect(messages.length).toBeGreaterThan(0);
      }
    }),
  );
});

test('a device that counted to the end of its counter takes the next incarnation', () => {
  const room = node();
  room.handle({ kind: 'link-open', peer: MEMBER }, 0);
  for (let counter = 2 ** 24; counter <= LAST_COUNTER; counter += 2 ** 24) {
    room.gossip.meetSelf({ incarnation: 1, counter });
  }
  room.handle({ kind: 'presence', visible: false, wakeLock: false }, 100);
  sent(room.handle({ kind: 'tick' }, 250));
  expect(room.records.of(SELF)).toMatchObject({ incarnation: 2, counter: 1, visible: false });
});
