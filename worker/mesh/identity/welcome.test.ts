import * as v from 'valibot';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DeviceKey } from './device-key.ts';
import { makeRoom, type NewRoom, nextKey } from './members.ts';
import { currentKey, uniteKeys } from './room-keys.ts';
import { membershipOf } from './roster.ts';
import type { RosterPart, Welcome } from './schemas.ts';
import { IdentityMessageSchema } from './schemas.ts';
import { Verifier } from './signed.ts';
import { add, newKeys, roomOf } from './test-room.ts';
import { openWelcome, roomKeysMessages, welcomeMessages } from './welcome.ts';

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
