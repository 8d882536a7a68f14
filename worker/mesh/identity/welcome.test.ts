import * as v from 'valibot';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DeviceKey } from './device-key.ts';
import { makeRoom, type NewRoom, nextKey } from './members.ts';
import { currentKey, uniteKeys } from './room-keys.ts';
import { membershipOf } from './roster.ts';
import type { IdentityMessage, RosterPart, Welcome } from './schemas.ts';
import { IdentityMessageSchema } from './schemas.ts';
import { namesOfRoom } from './secrets.ts';
import { Verifier } from './signed.ts';
import { add, newKeys, roomOf } from './test-room.ts';
import { VERSION_1 } from './test-version-1.ts';
import { inVersion, openWelcome, roomKeysMessages, welcomeMessages } from './welcome.ts';

const ASKING = { askFirst: true, askFirstChange: 0 };

let keys: DeviceKey[];
let room: NewRoom;
let host: DeviceKey;
let own: DeviceKey;

beforeAll(async () => {
  keys = await newKeys(6);
  room = await roomOf(...keys);
  [host, own] = [keys[1] as DeviceKey, keys[5] as DeviceKey];
});

function open(messages: readonly (RosterPart | Welcome)[], sender = host, device = own) {
  // as it comes from the wire
  const heard = messages.map((message) => v.parse(IdentityMessageSchema, JSON.parse(JSON.stringify(message))));
  return openWelcome(
    room.names,
    new Verifier(room.names.id),
    device.device,
    sender.device,
    heard.slice(0, -1) as RosterPart[],
    heard.at(-1) as Welcome,
  );
}

describe('a welcome', () => {
  it('gives the newcomer the roster and the keys', async () => {
    const asking = { askFirst: false, askFirstChange: 3 };
    const joined = await open(welcomeMessages(room.roster, room.keys, asking));
    expect(joined).toEqual({ roster: room.roster, keys: room.keys, ...asking });
    expect(currentKey(joined.keys, membershipOf(joined.roster))).toEqual(room.keys[0]);
  });

  it('of the largest room fits in control messages', async () => {
    let roster = room.roster;
    const [maker] = keys as [DeviceKey];
    for (let at = 0; at < 250; at++) {
      // ids of 22 characters and the longest names; whose they are does not matter here
      const device = `${at}`.padStart(22, 'A');
      const { publicKey } = own;
      const signature = 'A'.repeat(86);
      roster = add(roster, { device, publicKey, name: '😀'.repeat(40), rank: 100 + at, by: maker.device, signature });
    }
    const membership = membershipOf(roster);
    const key = await nextKey(maker, room.names, membership, []);
    const without = Array.from({ length: 400 }, (_, at) => `${at}`.padStart(22, 'A'));
    const many = Array.from({ length: 16 }, (_, generation) => ({ ...key, generation, without }));
    const messages = [...welcomeMessages(roster, uniteKeys([], many, membership), ASKING), ...roomKeysMessages(many)];
    for (const message of messages) {
      expect(new TextEncoder().encode(JSON.stringify(message)).length).toBeLessThan(60 * 1024);
    }
    expect(messages.length).toBeGreaterThan(4);
    const welcome = messages.find((message) => message.kind === 'welcome');
    expect(welcome?.keys[0]?.generation).toBe(15);
  });

  it('from a device that has the invite but is not in the room is not believed', async () => {
    const messages = welcomeMessages(room.roster, room.keys, ASKING);
    const [stranger] = (await newKeys(1)) as [DeviceKey];
    await expect(open(messages, stranger)).rejects.toThrow('is not in it');
    await expect(open(messages, host, stranger)).rejects.toThrow('not signed in');
    // a room of its own, with the real one's secret
    const fake = await roomOf(stranger, own);
    await expect(open(welcomeMessages(fake.roster, fake.keys, ASKING), stranger)).rejects.toThrow(
      'its maker is another',
    );
    // the real maker, but entries that it did not sign
    const posed = { ...room.roster, entries: fake.roster.entries };
    await expect(open(welcomeMessages(posed, fake.keys, ASKING), stranger)).rejects.toThrow('is not in it');
    // the real roster of another room of the same maker
    const other = await makeRoom(keys[0] as DeviceKey, 'Other');
    await expect(open(welcomeMessages(other.roster, other.keys, ASKING), keys[0])).rejects.toThrow(
      'its maker is another',
    );
  });
});

describe('a device of the version before', () => {
  const { secret, host: old, newcomer, messages } = VERSION_1;

  function read(text: string): IdentityMessage {
    const { v: version, ...fields } = JSON.parse(text);
    expect(version).toBe(1);
    return v.parse(IdentityMessageSchema, fields);
  }

  it('is understood: its welcome lets in, but its keys, which nobody signed, do not count', async () => {
    const names = await namesOfRoom(secret);
    const heard = messages.map(read);
    const welcome = heard.find((message) => message.kind === 'welcome') as Welcome;
    const parts = heard.filter((message) => message.kind === 'roster');
    const joined = await openWelcome(names, new Verifier(names.id), newcomer, old, parts, welcome);
    const membership = membershipOf(joined.roster);
    expect(membership.members.map(({ device }) => device)).toEqual([old, newcomer]);
    expect(membership.removals).toHaveLength(1);
    expect(joined).toMatchObject({ keys: [], askFirst: false, askFirstChange: 2 });
    expect(welcome.keys).toHaveLength(1);
    expect(heard.some((message) => message.kind === 'room-keys')).toBe(true);
  });

  it('is understood where it had never heard that askFirst changes', () => {
    const text = messages.find((message) => message.includes('askFirstChange')) ?? '';
    const { askFirstChange: _, ...older } = JSON.parse(text);
    expect(read(JSON.stringify(older))).toMatchObject({ kind: 'welcome', askFirst: false, askFirstChange: 0 });
  });

  it('is told nothing that it does not know', () => {
    const shapeOf = (message: object) =>
      JSON.stringify(message, (_, value) =>
        typeof value === 'object' && value !== null && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).sort())
          : Array.isArray(value)
            ? value.slice(0, 1)
            : typeof value,
      );
    const before = messages.map(read);
    const { entries, ...rest } = room.roster;
    const roster = { ...rest, entries: entries.slice(0, 3) };
    const now = [...welcomeMessages(roster, room.keys, ASKING), ...roomKeysMessages(room.keys)];
    const withoutList = (message: IdentityMessage) =>
      'keys' in message ? { ...message, keys: message.keys.map((key) => ({ ...key, without: [] })) } : message;
    for (const kind of ['roster', 'welcome', 'room-keys'] as const) {
      const said = now.find((message) => message.kind === kind) as IdentityMessage;
      const known = before.find((message) => message.kind === kind) as IdentityMessage;
      expect(shapeOf(withoutList(inVersion(said, 1)))).toBe(shapeOf(withoutList(known)));
      expect(inVersion(said, 2)).toEqual(said);
    }
  });
});
