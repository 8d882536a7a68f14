import { PersonError } from '../../errors.ts';
import type { DeviceId, RoomKey, Roster, RosterEntry, Tombstone } from '../types.ts';
import { compareText } from './bytes.ts';
import { type DeviceKey, isKeyOf } from './device-key.ts';
import { isName } from './names.ts';
import { MAX_GENERATION } from './room-keys.ts';
import { MAX_MEMBERS, MAX_RANK, MAX_SIGNED, type Membership, membershipOf, unite } from './roster.ts';
import { makeKeyText, makeRoomSecret, namesOfRoom, type RoomNames } from './secrets.ts';
import { signEntry, signRoomKey, signTombstone } from './signed.ts';

export interface NewRoom {
  readonly names: RoomNames;
  readonly roster: Roster;
  readonly keys: readonly RoomKey[];
}

/** A room of one, made by this device. */
export async function makeRoom(key: DeviceKey, name: string): Promise<NewRoom> {
  const { device, publicKey } = key;
  const { secret, salt } = await makeRoomSecret(device);
  const names = await namesOfRoom(secret);
  const entry = await signEntry(key, names.id, { device, publicKey, name, rank: 0, by: device });
  const roster: Roster = { maker: device, salt, entries: [entry], tombstones: [] };
  return { names, roster, keys: [await nextKey(key, names, membershipOf(roster), [])] };
}

/** Who wants in. */
export interface Newcomer {
  readonly device: DeviceId;
  readonly publicKey: string;
  readonly name: string;
}

/**
 * Signs the entry that lets a newcomer in; one that is in already keeps its entry. Throws `PersonError` when this device or
 * the newcomer was removed, or the room is full.
 */
export async function admit(
  key: DeviceKey,
  names: RoomNames,
  membership: Membership,
  { device, publicKey, name }: Newcomer,
): Promise<RosterEntry> {
  const known = membership.member(device);
  if (known) return known;
  const own = ownEntry(key, membership);
  if (!(await isKeyOf(device, publicKey)) || !isName(name)) {
    throw new TypeError('A newcomer needs the id of its key and a printable name.');
  }
  if (membership.standing(device) === 'removed') {
    throw new PersonError('This device was removed from the room. It can join again as a new device.', {
      problem: 'removed',
    });
  }
  if (membership.members.length >= MAX_MEMBERS) {
    throw new PersonError(
      `The room has ${membership.members.length} devices, which is the most (${MAX_MEMBERS}). Remove one first.`,
      { problem: 'full' },
    );
  }
  if (signedBy(membership.roster.entries, key.device) >= MAX_SIGNED) {
    throw new PersonError(
      `This device has let in ${MAX_SIGNED} others, which is the most. Let another device of the room do it.`,
      { problem: 'full' },
    );
  }
  const highest = Math.max(...membership.roster.entries.map(({ rank }) => rank));
  const rank = highest < MAX_RANK ? highest + 1 : own.rank + 1;
  return signEntry(key, names.id, { device, publicKey, name, rank, by: key.device });
}

export interface Removal {
  readonly tombstones: readonly Tombstone[];
  /** For each remaining member, pairwise. Absent when a device leaves: it must not know the next key. */
  readonly key?: RoomKey;
}

/**
 * Signs what removes a member, or this device itself when it leaves, and makes the next room key. Throws `PersonError` when
 * this device was removed, or has removed as many as it may.
 */
export async function remove(
  key: DeviceKey,
  names: RoomNames,
  membership: Membership,
  keys: readonly RoomKey[],
  device: DeviceId,
): Promise<Removal> {
  ownEntry(key, membership);
  const by = key.device;
  let left = MAX_SIGNED - signedBy(membership.roster.tombstones, by);
  if (left <= 0 && device !== by) {
    throw new PersonError(`This device has removed ${MAX_SIGNED} others, which is the most. Let another one do it.`, {
      problem: 'full',
    });
  }
  const keeps = membership.members
    .map((member) => member.device)
    .filter((member) => member !== device && isLetInBy(membership.roster, member, device))
    .sort(compareText);
  const tombstones = [await signTombstone(key, names.id, { device, by, keeps })];
  if (device === by) return { tombstones };
  // what the removed device signed may count no more: its removals go on under this device's name
  for (const removal of membership.removals) {
    const isOwnToo = membership.roster.tombstones.some((other) => other.device === removal.device && other.by === by);
    if (removal.by !== device || removal.device === device || isOwnToo || --left <= 0) continue;
    tombstones.push(await signTombstone(key, names.id, { device: removal.device, by, keeps: removal.keeps }));
  }
  const after = membershipOf(unite(membership.roster, { entries: [], tombstones }));
  return { tombstones, key: await nextKey(key, names, after, keys) };
}

/** The next room key: none of those that are out has been given it. Throws `PersonError` when this device was removed. */
export async function nextKey(
  key: DeviceKey,
  names: RoomNames,
  membership: Membership,
  keys: readonly RoomKey[],
): Promise<RoomKey> {
  ownEntry(key, membership);
  // what those that are out made counts no more, however high they numbered it
  const highest = Math.max(-1, ...keys.filter(({ by }) => membership.member(by)).map(({ generation }) => generation));
  return signRoomKey(key, names.id, {
    generation: Math.min(highest + 1, MAX_GENERATION),
    by: key.device,
    without: membership.out,
    key: makeKeyText(),
  });
}

function signedBy(all: readonly (RosterEntry | Tombstone)[], by: DeviceId): number {
  return all.filter((signed) => signed.by === by && signed.device !== by).length;
}

function isLetInBy(roster: Roster, device: DeviceId, by: DeviceId): boolean {
  return roster.entries.some((entry) => entry.device === device && entry.by === by);
}

function ownEntry(key: DeviceKey, membership: Membership): RosterEntry {
  const own = membership.member(key.device);
  if (own) return own;
  throw new PersonError('This device is not in the room any more. Join again with a new invite.', {
    problem: 'removed',
  });
}
