import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LAST_COUNTER } from '../../mesh/room/constants.ts';
import type { Effect } from '../../mesh/room/io.ts';
import { RoomNode } from '../../mesh/room/node.ts';
import { fenceOf, type KnownPlacement } from '../../mesh/room/placement-order.ts';
import { stateOf } from '../../mesh/room/test-states.ts';
import type { PlacementId } from '../../mesh/types.ts';
import { toWire } from './frames.ts';
import { roomCodec } from './room-schemas.ts';

const SELF = 'AAAAAAAAAAAAAAAAAAAAAA';
const MEMBER = 'BBBBBBBBBBBBBBBBBBBBBA';
const THIRD = 'CCCCCCCCCCCCCCCCCCCCCA';

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
    isMember: (device) => [SELF, MEMBER, THIRD].includes(device),
    random: () => 0.5,
  });
}

/** All that is sent arrives as what peers take. */
function sent(effects: readonly Effect<number[]>[]) {
  return effects.flatMap((effect) => {
    if (effect.kind !== 'send') return [];
    const read = roomCodec.decode(roomCodec.encode(effect.message));
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
        const message = { kind: 'gossip', states, placements: [] } as const;
        expect(roomCodec.decode(roomCodec.encode(message))).toHaveProperty('message');
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

test('whatever epochs others name, a model can be laid anew, and frames carry what tells its placement', () => {
  const epoch = fc.oneof(fc.nat(2 ** 20), fc.constantFrom(2 ** 32 - 1, 2 ** 40, 2 ** 48), fc.nat(2 ** 48));
  const said = fc.record({ model: fc.constantFrom('m', 'n'), epoch, digest: fc.boolean() });
  fc.assert(
    fc.property(fc.array(said, { minLength: 1, maxLength: 8 }), (lies) => {
      const room = node();
      room.handle({ kind: 'link-open', peer: MEMBER }, 0);
      for (const { model, epoch: lie, digest } of lies) {
        const id = { model, epoch: lie, proposer: MEMBER };
        const placement = { id, stages: [{ device: MEMBER, first: 0, last: 4 }], spares: [] };
        const message = digest
          ? ({ kind: 'digest', states: [], placements: [id] } as const)
          : ({ kind: 'gossip', states: [], placements: [placement] } as const);
        expect(roomCodec.decode(roomCodec.encode(message))).toHaveProperty('message');
        sent(room.handle({ kind: 'control', peer: MEMBER, message }, 10));
      }
      const before = room.book.highest('m');
      const stages = [{ device: SELF, first: 0, last: 4 }];
      sent(room.handle({ kind: 'place', model: 'm', stages }, 20));
      const laid = room.book.highest('m');
      expect(laid).not.toBe(before);
      expect(laid?.placement.stages).toEqual(stages);
      const epochOfFrame = fenceOf((laid as KnownPlacement).placement.id);
      expect(() =>
        toWire({ kind: 'progress', epoch: epochOfFrame, session: '0'.repeat(16), attempt: 1, slot: 0, first: 0 }),
      ).not.toThrow();
      sent(room.handle({ kind: 'tick' }, 250));
    }),
  );
});

test('an epoch that one member names far above all others is not taken, nor sent on', () => {
  const room = node();
  for (const peer of [MEMBER, THIRD]) room.handle({ kind: 'link-open', peer }, 0);
  room.handle({ kind: 'place', model: 'm', stages: [{ device: SELF, first: 0, last: 4 }] }, 10);
  const honest = room.book.highest('m')?.placement.id as PlacementId;
  room.handle({ kind: 'control', peer: THIRD, message: { kind: 'digest', states: [], placements: [honest] } }, 20);
  const id = { model: 'm', epoch: 2 ** 40, proposer: MEMBER };
  const placement = { id, stages: [{ device: MEMBER, first: 0, last: 4 }], spares: [] };
  const lie = { kind: 'gossip', states: [], placements: [placement] } as const;
  expect(sent(room.handle({ kind: 'control', peer: MEMBER, message: lie }, 30))).toEqual([]);
  expect(room.book.highest('m')?.placement.id).toEqual(honest);
  const digest = { kind: 'digest', states: [], placements: [id, honest] } as const;
  const asked = sent(room.handle({ kind: 'control', peer: MEMBER, message: digest }, 40));
  expect(asked.filter(({ kind }) => kind === 'want')).toEqual([]);
});
