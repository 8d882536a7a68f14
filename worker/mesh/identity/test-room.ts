import type { Roster, RosterEntry, Tombstone } from '../types.ts';
import { type DeviceKey, generateKey, openKey } from './device-key.ts';
import { admit, makeRoom, type NewRoom } from './members.ts';
import { membershipOf, unite } from './roster.ts';

export async function newKey(): Promise<DeviceKey> {
  return openKey(await generateKey());
}

export function newKeys(count: number): Promise<DeviceKey[]> {
  return Promise.all(Array.from({ length: count }, newKey));
}

export function nameOf(index: number): string {
  return `Device ${index}`;
}

/** A room whose maker let the others in, in order. */
export async function roomOf(...keys: readonly DeviceKey[]): Promise<NewRoom> {
  const [maker, ...others] = keys;
  if (!maker) throw new TypeError('A room needs a device.');
  const room = await makeRoom(maker, nameOf(0));
  let { roster } = room;
  for (const [at, { device, publicKey }] of others.entries()) {
    roster = add(
      roster,
      await admit(maker, room.names, membershipOf(roster), { device, publicKey, name: nameOf(at + 1) }),
    );
  }
  return { ...room, roster };
}

export function add(roster: Roster, ...news: readonly (RosterEntry | Tombstone)[]): Roster {
  return unite(roster, {
    entries: news.filter((one): one is RosterEntry => 'rank' in one),
    tombstones: news.filter((one): one is Tombstone => 'keeps' in one),
  });
}

/** Rosters as plain words, for rules that do not look at signatures: the maker is 'a'. */
export function plainEntry(device: string, rank: number, by: string): RosterEntry {
  return { device, publicKey: `key of ${device}`, name: device, rank, by, signature: `${by}: ${device} at ${rank}` };
}

export function plainTombstone(by: string, device: string, keeps: readonly string[] = []): Tombstone {
  return { device, by, keeps: [...keeps].sort(), signature: `${by}: not ${device} but ${keeps}` };
}

export function plainRoster(...news: readonly (RosterEntry | Tombstone)[]): Roster {
  return add({ maker: 'a', salt: '', entries: [plainEntry('a', 0, 'a')], tombstones: [] }, ...news);
}
