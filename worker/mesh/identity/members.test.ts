import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomKey, Roster } from '../types.ts';
import type { DeviceKey } from './device-key.ts';
import { admit, makeRoom, type NewRoom, nextKey, type Removal, remove } from './members.ts';
import { currentKey, MAX_GENERATION, MAX_ROOM_KEYS, uniteKeys } from './room-keys.ts';
import { MAX_MEMBERS, MAX_SIGNED, type Membership, membershipOf } from './roster.ts';
import { isMakerOf } from './secrets.ts';
import { signEntry, signRoomKey, Verifier } from './signed.ts';
import { add, newKey, newKeys, plainEntry, plainRoster, plainTombstone, roomOf } from './test-room.ts';

let a: DeviceKey;
let b: DeviceKey;
let c: DeviceKey;
let d: DeviceKey;
let room: NewRoom;

beforeEach(async () => {
  [a, b, c, d] = (await newKeys(4)) as [DeviceKey, DeviceKey, DeviceKey, DeviceKey];
  room = await roomOf(a, b, c, d);
});

function removal(by: DeviceKey, device: DeviceKey, roster: Roster = room.roster, keys = room.keys): Promise<Removal> {
  return remove(by, room.names, membershipOf(roster), keys, device.device);
}

function outcomeOf(...removals: Removal[]): { membership: Membership; keys: readonly RoomKey[] } {
  const membership = membershipOf(add(room.roster, ...removals.flatMap(({ tombstones }) => tombstones)));
  const made = removals.flatMap(({ key }) => key ?? []);
  return { membership, keys: uniteKeys(room.keys, made, membership) };
}

function idsOf(membership: Membership): string[] {
  return membership.members.map(({ device }) => device);
}

async function admitted(by: DeviceKey, newcomer: DeviceKey, roster: Roster): Promise<Roster> {
  const { device, publicKey } = newcomer;
  return add(roster, await admit(by, room.names, membershipOf(roster), { device, publicKey, name: 'New' }));
}

describe('a room', () => {
  it('has a secret that only its maker’s id hashes to', async () => {
    const { secret } = room.names;
    expect(await isMakerOf(secret, a.device, room.roster.salt)).toBe(true);
    expect(await isMakerOf(secret, b.device, room.roster.salt)).toBe(false);
    expect(await isMakerOf(secret, a.device, (await makeRoom(a, 'A')).roster.salt)).toBe(false);
  });

  it('lets in with the next rank, once', async () => {
    const e = await newKey();
    const roster = await admitted(c, e, room.roster);
    expect(membershipOf(roster).member(e.device)).toMatchObject({ rank: 4, by: c.device });
    expect(await admitted(b, e, roster)).toEqual(roster);
    expect((await new Verifier(room.names.id).takeIn(room.roster, roster)).refused).toBe(0);
  });

  it('lets one device let in and remove 64 others, which every other takes in', async () => {
    const { id } = room.names;
    const entries = await Promise.all(
      (await newKeys(MAX_SIGNED)).map(({ device, publicKey }, at) =>
        signEntry(b, id, { device, publicKey, name: 'x', rank: 9 + at, by: b.device }),
      ),
    );
    const whole = add(room.roster, ...entries);
    const verifier = new Verifier(id);
    expect((await verifier.takeIn(room.roster, whole)).refused).toBe(0);
    const removed = membershipOf(add(whole, ...entries.slice(4).map(({ device }) => plainTombstone(a.device, device))));
    await expect(admitted(b, await newKey(), removed.roster)).rejects.toThrow('let in 64 others');
    const tombstones = entries.map(({ device }) => plainTombstone(b.device, device));
    await expect(removal(b, c, add(whole, ...tombstones))).rejects.toThrow('removed 64 others');
    // what the removed device had removed is signed anew as far as there is room
    const { tombstones: anew } = await removal(a, b, add(whole, ...tombstones));
    expect(anew).toHaveLength(MAX_SIGNED);
    expect(anew[0]?.device).toBe(b.device);
  });

  it('refuses a removed device, one that is not in, a full room and a false id', async () => {
    const gone = outcomeOf(await removal(b, c)).membership.roster;
    await expect(admitted(a, c, gone)).rejects.toThrow('join again as a new device');
    await expect(admitted(c, await newKey(), gone)).rejects.toThrow('not in the room any more');
    await expect(removal(c, a, gone)).rejects.toThrow('not in the room any more');
    let full = room.roster;
    while (membershipOf(full).members.length < MAX_MEMBERS) full = await admitted(a, await newKey(), full);
    await expect(admitted(a, await newKey(), full)).rejects.toThrow('64');
    const [one, other] = await newKeys(2);
    const lie = { device: one?.device ?? '', publicKey: other?.publicKey ?? '', name: 'x' };
    await expect(admit(a, room.names, membershipOf(room.roster), lie)).rejects.toThrow('id of its key');
  });
});

describe('removing', () => {
  it('makes a key that the removed device is not given, and that holds', async () => {
    const gone = await removal(b, c);
    const { membership, keys } = outcomeOf(gone);
    expect(idsOf(membership)).toEqual([a.device, b.device, d.device]);
    expect(gone.key).toMatchObject({ generation: 1, by: b.device, without: [c.device] });
    expect(currentKey(keys, membership)).toEqual(gone.key);
    expect(currentKey(room.keys, membership)).toBeUndefined();
  });

  it('keeps those whom the removed device let in', async () => {
    const e = await newKey();
    const roster = await admitted(b, e, room.roster);
    const { tombstones } = await removal(e, b, roster);
    expect(idsOf(membershipOf(add(roster, ...tombstones)))).toEqual([a, c, d, e].map(({ device }) => device));
  });

  it('an earlier member does not bring back whom the removed one had removed', async () => {
    const first = await removal(c, d);
    const roster = add(room.roster, ...first.tombstones);
    const next = await removal(b, c, roster);
    expect(idsOf(membershipOf(add(roster, ...next.tombstones)))).toEqual([a.device, b.device]);
    expect(next.key?.without).toEqual([c.device, d.device].sort());
  });

  it('each other, the earlier member stays and its key holds', async () => {
    const [one, other] = [await removal(b, c), await removal(c, b)];
    const { membership, keys } = outcomeOf(one, other);
    expect(idsOf(membership)).toEqual([a.device, b.device, d.device]);
    expect(currentKey(keys, membership)).toEqual(one.key);
  });

  it('two at the same time needs one more key: each was given to the other’s removed device', async () => {
    const { membership, keys } = outcomeOf(await removal(a, c), await removal(b, d));
    expect(idsOf(membership)).toEqual([a.device, b.device]);
    expect(currentKey(keys, membership)).toBeUndefined();
    const { names } = room;
    const [next, other] = [await nextKey(b, names, membership, keys), await nextKey(a, names, membership, keys)];
    expect(next.generation).toBe(2);
    expect(currentKey(uniteKeys(keys, [next, other], membership), membership)).toEqual(other);
  });

  it('a device whose removed hand made a higher key: that key does not hold', async () => {
    const once = await removal(b, d);
    const roster = add(room.roster, ...once.tombstones);
    const twice = await removal(b, c, roster, uniteKeys(room.keys, [once.key as RoomKey], membershipOf(roster)));
    const senior = await removal(a, b);
    const { membership, keys } = outcomeOf(once, twice, senior);
    expect(twice.key?.generation).toBe(2);
    expect(idsOf(membership)).toEqual([a.device, c.device, d.device]);
    expect(currentKey(keys, membership)).toEqual(senior.key);
    const posing = { ...(twice.key as RoomKey), generation: 9, without: [b.device, c.device, d.device].sort() };
    expect(currentKey(uniteKeys(keys, [posing], membership), membership)).toEqual(senior.key);
  });

  it('oneself is leaving: the others have to make a key', async () => {
    const left = await removal(b, b);
    expect(left.key).toBeUndefined();
    const { membership, keys } = outcomeOf(left);
    expect(idsOf(membership)).toEqual([a.device, c.device, d.device]);
    expect(currentKey(keys, membership)).toBeUndefined();
    const next = await nextKey(d, room.names, membership, keys);
    expect(currentKey(uniteKeys(keys, [next], membership), membership)?.by).toBe(d.device);
  });
});

describe('room keys', () => {
  it('that a member numbers high, or signs for another, do not outlive its removal', async () => {
    const { names } = room;
    const verifier = new Verifier(names.id);
    const before = membershipOf(room.roster);
    const planted = { generation: 7, by: d.device, without: [d.device], key: 'AAAAAAAAAAAAAAAAAAAAAA' };
    const own = await signRoomKey(d, names.id, planted);
    const forged = [
      { ...planted, by: a.device },
      { ...own, by: a.device },
      { ...own, generation: 8 },
      { ...own, without: [] },
      { ...own, key: 'AAAAAAAAAAAAAAAAAAAAAQ' },
      await signRoomKey(d, names.id, { ...planted, by: a.device }),
      await signRoomKey(d, new Uint8Array(16), planted),
      await signRoomKey(d, names.id, { ...planted, generation: MAX_GENERATION + 1 }),
      await signRoomKey(await newKey(), names.id, planted),
    ];
    expect(await verifier.keysThatHold(before, forged)).toEqual([]);
    expect(await verifier.keysThatHold(before, [...forged, own])).toEqual([own]);

    const flood = await Promise.all(
      Array.from({ length: 2 * MAX_ROOM_KEYS }, (_, at) =>
        signRoomKey(d, names.id, { ...planted, generation: MAX_GENERATION - at }),
      ),
    );
    const held = uniteKeys(room.keys, await verifier.keysThatHold(before, flood), before);
    const gone = await remove(b, names, before, held, d.device);
    const after = membershipOf(add(room.roster, ...gone.tombstones));
    expect(gone.key?.generation).toBe(0);
    expect(currentKey(uniteKeys(held, [gone.key as RoomKey], after), after)).toEqual(gone.key);
    expect(await verifier.keysThatHold(after, [own])).toEqual([]);
  });

  it('that members numbered as high as it goes still give way to the next', async () => {
    const { names } = room;
    const before = membershipOf(room.roster);
    const fields = { generation: MAX_GENERATION, by: a.device, without: [], key: 'AAAAAAAAAAAAAAAAAAAAAA' };
    const highest = await signRoomKey(a, names.id, fields);
    const gone = await remove(b, names, before, uniteKeys(room.keys, [highest], before), d.device);
    const after = membershipOf(add(room.roster, ...gone.tombstones));
    expect(gone.key?.generation).toBe(MAX_GENERATION);
    expect(currentKey(uniteKeys([highest], [gone.key as RoomKey], after), after)).toEqual(gone.key);
  });

  it('unite the same in any order and however often, the highest generations', () => {
    const ids = fc.constantFrom('a', 'b', 'c');
    const key = fc.record({
      generation: fc.integer({ min: 0, max: 9 }),
      by: ids,
      without: fc.uniqueArray(ids, { maxLength: 1 }),
      key: fc.constantFrom('x', 'y'),
      signature: fc.constant(''),
    });
    const membership = membershipOf(
      plainRoster(plainEntry('b', 1, 'a'), plainEntry('c', 2, 'a'), plainTombstone('a', 'c')),
    );
    const unite = (one: readonly RoomKey[], other: readonly RoomKey[]) => uniteKeys(one, other, membership);
    const keys = fc.array(key, { maxLength: 30 }).map((list) => unite([], list));
    fc.assert(
      fc.property(keys, keys, keys, (one, two, three) => {
        expect(unite(one, two)).toEqual(unite(two, one));
        expect(unite(unite(one, two), three)).toEqual(unite(one, unite(two, three)));
        expect(unite(one, one)).toEqual(one);
        expect(unite(one, two).length).toBeLessThanOrEqual(MAX_ROOM_KEYS);
        expect(currentKey(unite(one, two), membership)).toEqual(currentKey([...one, ...two], membership));
      }),
    );
  });
});
