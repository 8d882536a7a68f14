import { beforeEach, describe, expect, it } from 'vitest';
import type { DeviceKey, IdentityMessage } from '../../mesh/identity/index.ts';
import { admit, currentKey, membershipOf, remove, unite } from '../../mesh/identity/index.ts';
import type { NewRoom } from '../../mesh/identity/members.ts';
import { newKey, newKeys, roomOf } from '../../mesh/identity/test-room.ts';
import type { DeviceId } from '../../mesh/types.ts';
import { ASK_WITHIN_MS, MAX_NEWCOMERS, Members, OTHERS_MAKE_KEY_MS } from './members.ts';

let keys: [DeviceKey, DeviceKey, DeviceKey];
let room: NewRoom;

beforeEach(async () => {
  keys = (await newKeys(3)) as [DeviceKey, DeviceKey, DeviceKey];
  room = await roomOf(...keys);
});

/** One member, and what it does to those who are linked to it. */
class Desk {
  readonly members: Members;
  readonly sent: { readonly to: DeviceId; readonly message: IdentityMessage }[] = [];
  readonly disconnected: DeviceId[] = [];
  readonly troubles: unknown[] = [];
  changes = 0;
  nowMs = 0;

  constructor(key: DeviceKey, { roster, names, keys }: NewRoom, askFirst = true) {
    this.members = new Members({
      key,
      names,
      start: { roster, keys, askFirst, askFirstChange: 0 },
      now: () => this.nowMs,
      send: (to, message) => this.sent.push({ to, message }),
      disconnect: (device) => this.disconnected.push(device),
      onMember: () => {},
      onRemoved: () => {},
      onChange: () => this.changes++,
      onTrouble: (error) => this.troubles.push(error),
    });
  }

  /** A device that proved the room key which holds, or the one given. */
  newcomer({ device, publicKey }: DeviceKey, roomKey = this.members.inviteKey): void {
    this.members.linked(device, publicKey, [], roomKey);
  }

  member({ device, publicKey }: DeviceKey): void {
    this.members.linked(device, publicKey, []);
  }

  asks({ device }: DeviceKey): void {
    this.members.receive(device, { kind: 'ask', name: 'New' });
  }

  tickAt(nowMs: number): Promise<void> {
    this.nowMs = nowMs;
    this.members.tick();
    return this.settled();
  }

  /** All that was given to it before is done. */
  settled(): Promise<void> {
    return this.members.setAskFirst(this.members.askFirst.askFirst);
  }

  heard({ device }: DeviceKey): string[] {
    return this.sent.flatMap(({ to, message }) =>
      to !== device ? [] : 'reason' in message ? `${message.kind} ${message.reason}` : message.kind,
    );
  }
}

describe('a newcomer', () => {
  it('whose invite was replaced while it was linked is let go, asked about or not, and cannot come in', async () => {
    for (const askFirst of [true, false]) {
      const [maker, friend] = keys;
      const desk = new Desk(maker, room, askFirst);
      const [silent, asking] = (await newKeys(2)) as [DeviceKey, DeviceKey];
      const opened = desk.members.inviteKey;
      desk.member(friend);
      desk.newcomer(silent);
      if (askFirst) {
        desk.newcomer(asking);
        desk.asks(asking);
        await desk.settled();
        expect(desk.members.questions).toHaveLength(1);
      }
      await desk.members.remove(friend.device);
      expect(desk.members.inviteKey).not.toBe(opened);
      expect(desk.disconnected).toContain(silent.device);
      expect(desk.heard(silent)).toEqual(['denied old-invite']);
      expect(desk.disconnected.includes(asking.device)).toBe(askFirst);
      expect(desk.members.questions).toEqual([]);

      for (const late of [silent, asking]) {
        desk.asks(late); // over the link that was closed
        desk.newcomer(late, opened); // a proof that was under way
        desk.asks(late);
        await desk.members.answer(late.device, true);
      }
      await desk.settled();
      expect(desk.members.membership.members.map(({ device }) => device)).toEqual([maker.device, keys[2].device]);
      expect(desk.sent.some(({ message }) => message.kind === 'welcome')).toBe(false);
      expect(desk.troubles).toEqual([]);
    }
  });

  it('is let go when another member changes the key', async () => {
    const [maker, friend, other] = keys;
    const desk = new Desk(maker, room);
    const late = await newKey();
    desk.member(friend);
    desk.newcomer(late);
    const gone = await remove(friend, room.names, membershipOf(room.roster), room.keys, other.device);
    desk.members.receive(friend.device, { kind: 'roster', entries: [], tombstones: [...gone.tombstones] });
    desk.members.receive(friend.device, { kind: 'room-keys', keys: gone.key ? [gone.key] : [] });
    await desk.settled();
    expect(desk.disconnected).toContain(late.device);
    expect(desk.members.inviteKey).toBe(gone.key?.key);
  });

  it('is one of 8 at most, has 10 s to ask, and is let go once it is denied', async () => {
    const [maker] = keys;
    const desk = new Desk(maker, room);
    const many = await newKeys(MAX_NEWCOMERS + 1);
    for (const one of many) desk.newcomer(one);
    await desk.settled();
    const [asking, ...silent] = many as [DeviceKey, ...DeviceKey[]];
    const last = silent.pop() as DeviceKey;
    expect(desk.disconnected).toEqual([last.device]);
    expect(desk.heard(last)).toEqual(['denied busy']);

    desk.asks(asking);
    await desk.tickAt(ASK_WITHIN_MS - 1);
    expect(desk.disconnected).toHaveLength(1);
    await desk.tickAt(ASK_WITHIN_MS);
    expect(desk.disconnected.slice(1)).toEqual(silent.map(({ device }) => device));

    await desk.members.answer(asking.device, false);
    expect(desk.heard(asking)).toEqual(['asking', 'denied denied']);
    expect(desk.disconnected.at(-1)).toBe(asking.device);
  });

  it('that asks, again and again, changes nothing that is kept', async () => {
    const desk = new Desk(keys[0], room);
    const one = await newKey();
    desk.newcomer(one);
    for (let times = 0; times < 5; times++) desk.asks(one);
    await desk.settled();
    expect(desk.heard(one)).toEqual(['asking']);
    expect(desk.changes).toBe(0);
    await desk.members.answer(one.device, true);
    expect(desk.changes).toBe(1);
    expect(desk.heard(one).at(-1)).toBe('welcome');
    expect(desk.disconnected).toEqual([]);
  });
});

describe('a room key', () => {
  it('that its maker did not sign is not taken from a member', async () => {
    const [maker, friend] = keys;
    const desk = new Desk(maker, room);
    desk.member(friend);
    const before = desk.members.inviteKey;
    const planted = { generation: 3, by: maker.device, without: [friend.device], key: 'AAAAAAAAAAAAAAAAAAAAAA' };
    desk.members.receive(friend.device, { kind: 'room-keys', keys: [planted] });
    desk.members.receive(friend.device, {
      kind: 'room-keys',
      keys: [{ ...planted, signature: room.keys[0]?.signature ?? '' }],
    });
    await desk.settled();
    expect(desk.members.inviteKey).toBe(before);
    await desk.members.remove(friend.device);
    expect(desk.members.inviteKey).not.toBe(planted.key);
  });

  it('that is missing is made by the first member that is here, and 2 s later by any other', async () => {
    const [maker, second, third] = keys;
    const left = await remove(third, room.names, membershipOf(room.roster), room.keys, third.device);
    const roster = unite(room.roster, { entries: [], tombstones: left.tombstones });
    const without = { ...room, roster };
    expect(currentKey(room.keys, membershipOf(roster))).toBeUndefined();

    const first = new Desk(maker, without);
    first.member(second);
    await first.tickAt(0);
    expect(first.members.inviteKey).toBeDefined();

    const other = new Desk(second, without);
    other.member(maker);
    await other.tickAt(1000);
    await other.tickAt(1000 + OTHERS_MAKE_KEY_MS - 1);
    expect(other.members.inviteKey).toBeUndefined();
    await other.tickAt(1000 + OTHERS_MAKE_KEY_MS);
    expect(other.members.inviteKey).toBeDefined();
  });

  it('is told to a newcomer with its welcome', async () => {
    const [maker] = keys;
    const desk = new Desk(maker, room, false);
    const one = await newKey();
    desk.newcomer(one);
    desk.asks(one);
    await desk.settled();
    const { device, publicKey } = one;
    expect(desk.members.membership.member(device)).toEqual(
      await admit(maker, room.names, desk.members.membership, { device, publicKey, name: 'New' }),
    );
    const welcome = desk.sent.find(({ message }) => message.kind === 'welcome')?.message;
    expect(welcome).toMatchObject({ keys: [{ key: desk.members.inviteKey }] });
  });
});
