import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Roster, RosterEntry, Tombstone } from '../types.ts';
import type { DeviceKey } from './device-key.ts';
import type { NewRoom } from './members.ts';
import { MAX_ENTRIES, membershipOf } from './roster.ts';
import { signEntry, signTombstone, Verifier } from './signed.ts';
import { add, newKey, newKeys, roomOf } from './test-room.ts';

let keys: DeviceKey[];
let maker: DeviceKey;
let second: DeviceKey;
let stranger: DeviceKey;
let room: NewRoom;
let verifier: Verifier;

beforeAll(async () => {
  keys = await newKeys(5);
  [maker, second, stranger] = [keys[0] as DeviceKey, keys[1] as DeviceKey, await newKey()];
  room = await roomOf(...keys);
  verifier = new Verifier(room.names.id);
});

function empty(): Roster {
  return { maker: maker.device, salt: room.roster.salt, entries: [], tombstones: [] };
}

async function refusedOf(...news: (RosterEntry | Tombstone)[]): Promise<number> {
  const incoming = add(empty(), ...news);
  const { roster, news: taken, refused } = await verifier.takeIn(room.roster, incoming);
  if (refused === news.length) expect(roster).toEqual(room.roster);
  expect(taken.entries.length + taken.tombstones.length).toBe(news.length - refused);
  return refused;
}

function entryFor(device: DeviceKey, by: DeviceKey, rank = 9): Omit<RosterEntry, 'signature'> {
  return { device: device.device, publicKey: device.publicKey, name: 'New', rank, by: by.device };
}

describe('what a peer says of the roster', () => {
  it('is taken in whole when it holds, and nothing is news the second time', async () => {
    const taken = await verifier.takeIn(empty(), room.roster);
    expect(taken).toMatchObject({ roster: room.roster, refused: 0 });
    expect(taken.news.entries).toHaveLength(5);
    const again = await verifier.takeIn(taken.roster, room.roster);
    expect(again).toEqual({ roster: room.roster, refused: 0, news: { entries: [], tombstones: [] } });
  });

  it('is refused when signed by somebody else, in another room, or changed', async () => {
    const { id } = room.names;
    const fields = entryFor(stranger, second);
    const honest = await signEntry(second, id, fields);
    expect(await refusedOf(honest)).toBe(0);
    const other = await newKey();
    const wrong = [
      await signEntry(stranger, id, fields),
      await signEntry(second, new Uint8Array(16), fields),
      await signEntry(other, id, entryFor(stranger, other)),
      await signEntry(stranger, id, { ...entryFor(stranger, stranger), rank: 0 }),
      { ...honest, name: 'Other' },
      { ...honest, rank: 8 },
      { ...honest, by: maker.device },
      { ...honest, device: other.device },
      { ...honest, publicKey: other.publicKey },
      await signEntry(second, id, { ...fields, device: other.device }),
      await signEntry(second, id, { ...fields, name: 'a\u202eb' }),
      await signEntry(second, id, { ...fields, rank: -1 }),
    ];
    for (const entry of wrong) expect(await refusedOf(entry), JSON.stringify(entry)).toBe(1);
  });

  it('and so are tombstones', async () => {
    const { id } = room.names;
    const fields = { device: maker.device, by: second.device, keeps: [second.device] };
    const honest = await signTombstone(second, id, fields);
    expect(await refusedOf(honest)).toBe(0);
    const wrong = [
      await signTombstone(stranger, id, fields),
      await signTombstone(stranger, id, { ...fields, by: stranger.device }),
      await signTombstone(second, id, { ...fields, device: stranger.device }),
      await signTombstone(second, new Uint8Array(16), fields),
      { ...honest, keeps: [] },
      { ...honest, device: keys[2]?.device ?? '' },
      { ...honest, by: maker.device },
    ];
    for (const tombstone of wrong) expect(await refusedOf(tombstone), JSON.stringify(tombstone)).toBe(1);
  });

  it('ends the same in whatever parts and order it comes, once everything was heard again', async () => {
    const { id } = room.names;
    const [, , third, fourth] = keys as [DeviceKey, DeviceKey, DeviceKey, DeviceKey];
    const signed = [
      ...room.roster.entries,
      await signEntry(fourth, id, entryFor(stranger, fourth)),
      await signEntry(third, id, entryFor(stranger, third, 12)),
      await signTombstone(second, id, { device: fourth.device, by: second.device, keeps: [] }),
      await signTombstone(fourth, id, { device: second.device, by: fourth.device, keeps: [] }),
    ];
    const whole = await verifier.takeIn(empty(), add(empty(), ...signed));
    expect(whole.refused).toBe(0);
    expect(membershipOf(whole.roster).standing(fourth.device)).toBe('removed');
    expect(membershipOf(whole.roster).member(stranger.device)?.by).toBe(third.device);
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(signed, { minLength: signed.length }), async (order) => {
        let roster = empty();
        for (let round = 0; round < signed.length; round++) {
          for (const one of order) roster = (await verifier.takeIn(roster, add(empty(), one))).roster;
        }
        expect(roster).toEqual(whole.roster);
      }),
      { numRuns: 30 },
    );
  });

  it('is not taken in beyond the limit, and displaces nobody', async () => {
    let roster = room.roster;
    const [entry] = roster.entries as [RosterEntry];
    const filler = Array.from({ length: MAX_ENTRIES - roster.entries.length }, (_, at) => ({
      ...entry,
      by: `signer ${at % 9}`,
      device: `filler ${at}`,
      rank: 50 + at,
    }));
    roster = add(roster, ...filler);
    const low = await signEntry(second, room.names.id, entryFor(stranger, second, 1));
    const taken = await verifier.takeIn(roster, { entries: [low], tombstones: [] });
    expect(taken).toMatchObject({ refused: 1, roster });
  });
});
