import type { DeviceId, RoomKey, Roster, RosterEntry, Tombstone } from '../types.ts';
import { type Bytes, canonical, concatenate, fromBase64url, toBase64url } from './bytes.ts';
import { DEVICE_ID_BYTES, type DeviceKey, isKeyOf, verifySignature } from './device-key.ts';
import { isName } from './names.ts';
import { MAX_GENERATION } from './room-keys.ts';
import { MAX_RANK, type Membership, RosterRoom, unite } from './roster.ts';
import type { HeardRoomKey } from './schemas.ts';

type Unsigned<T> = Omit<T, 'signature'>;
/** Checked signatures that are remembered; a full roster has about 200. */
const MAX_REMEMBERED = 4096;

export async function signEntry(key: DeviceKey, roomId: Bytes, entry: Unsigned<RosterEntry>): Promise<RosterEntry> {
  return { ...entry, signature: await key.sign(entryBytes(roomId, entry)) };
}

export async function signTombstone(key: DeviceKey, roomId: Bytes, tombstone: Unsigned<Tombstone>): Promise<Tombstone> {
  return { ...tombstone, signature: await key.sign(tombstoneBytes(roomId, tombstone)) };
}

export async function signRoomKey(key: DeviceKey, roomId: Bytes, roomKey: Unsigned<RoomKey>): Promise<RoomKey> {
  return { ...roomKey, signature: await key.sign(roomKeyBytes(roomId, roomKey)) };
}

export interface Taken {
  readonly roster: Roster;
  /** What was new to us of it, for passing on. */
  readonly news: Pick<Roster, 'entries' | 'tombstones'>;
  /** Entries and tombstones that were wrong, or that rest on some that we lack. */
  readonly refused: number;
}

/** Takes what peers say of the roster in, if it is signed as it must be. One for each room. */
export class Verifier {
  readonly #roomId: Bytes;
  readonly #remembered = new Map<string, Promise<boolean>>();

  constructor(roomId: Bytes) {
    this.#roomId = roomId;
  }

  /** Unites; leaves out what does not hold by itself. Shapes must have been validated. */
  async takeIn(roster: Roster, incoming: Pick<Roster, 'entries' | 'tombstones'>): Promise<Taken> {
    const before = new Set([...roster.entries, ...roster.tombstones].map(contentOf));
    const keys = new Map(roster.entries.map(({ device, publicKey }) => [device, publicKey]));
    const entryRoom = new RosterRoom(roster);
    const entries: RosterEntry[] = [];
    let waiting = incoming.entries.filter((entry) => !before.has(contentOf(entry)));
    // mostly once: entries come after those that they rest on
    for (let found = -1; found !== 0 && waiting.length > 0; ) {
      const taken = new Set<RosterEntry>();
      for (const entry of waiting) {
        if (!(await this.#isEntry(roster.maker, keys, entry)) || !entryRoom.takeEntry(entry)) continue;
        taken.add(entry);
        keys.set(entry.device, entry.publicKey);
      }
      entries.push(...taken);
      waiting = waiting.filter((entry) => !taken.has(entry));
      found = taken.size;
    }
    let united = unite(roster, { entries, tombstones: [] });
    const tombstoneRoom = new RosterRoom(united);
    const tombstones: Tombstone[] = [];
    const unknown = incoming.tombstones.filter((tombstone) => !before.has(contentOf(tombstone)));
    for (const tombstone of unknown) {
      if ((await this.#isTombstone(keys, tombstone)) && tombstoneRoom.takeTombstone(tombstone))
        tombstones.push(tombstone);
    }
    united = unite(united, { entries: [], tombstones });
    return {
      roster: united,
      news: {
        entries: united.entries.filter((entry) => !before.has(contentOf(entry))),
        tombstones: united.tombstones.filter((tombstone) => !before.has(contentOf(tombstone))),
      },
      refused: waiting.length + unknown.length - tombstones.length,
    };
  }

  /** Room keys that a member made; others, and those that nobody signed, are left out. Shapes must have been validated. */
  async keysThatHold(membership: Membership, keys: readonly HeardRoomKey[]): Promise<readonly RoomKey[]> {
    const holding: RoomKey[] = [];
    for (const key of keys) {
      const { signature, generation, by } = key;
      const maker = membership.member(by);
      if (signature === undefined || maker === undefined || generation > MAX_GENERATION) continue;
      if (await this.#isSigned(maker.publicKey, signature, roomKeyBytes(this.#roomId, key)))
        holding.push({ ...key, signature });
    }
    return holding;
  }

  async #isEntry(maker: DeviceId, keys: ReadonlyMap<DeviceId, string>, entry: RosterEntry): Promise<boolean> {
    const { device, publicKey, name, rank, by, signature } = entry;
    if (!isName(name) || !Number.isInteger(rank) || rank < 0 || rank > MAX_RANK) return false;
    if (!(await isKeyOf(device, publicKey))) return false;
    const isMaker = device === maker && by === maker && rank === 0;
    const signer = isMaker ? publicKey : keys.get(by);
    return signer !== undefined && this.#isSigned(signer, signature, entryBytes(this.#roomId, entry));
  }

  async #isTombstone(keys: ReadonlyMap<DeviceId, string>, tombstone: Tombstone): Promise<boolean> {
    const { device, by, signature } = tombstone;
    const signer = keys.get(by);
    if (signer === undefined || !keys.has(device)) return false;
    return this.#isSigned(signer, signature, tombstoneBytes(this.#roomId, tombstone));
  }

  #isSigned(publicKey: string, signature: string, bytes: Bytes): Promise<boolean> {
    const content = `${publicKey} ${signature} ${toBase64url(bytes)}`;
    const remembered = this.#remembered.get(content);
    if (remembered) return remembered;
    const checked = verifySignature(publicKey, signature, bytes);
    this.#remembered.set(content, checked);
    const oldest = this.#remembered.keys().next().value;
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
    return checked;
  }
}

function entryBytes(roomId: Bytes, { device, publicKey, name, rank, by }: Unsigned<RosterEntry>): Bytes {
  return canonical('shoal roster entry 1', roomId, raw(device), raw(publicKey), name, rank, raw(by));
}

function tombstoneBytes(roomId: Bytes, { device, by, keeps }: Unsigned<Tombstone>): Bytes {
  return canonical('shoal tombstone 1', roomId, raw(device), raw(by), concatenate(...keeps.map(rawId)));
}

function roomKeyBytes(roomId: Bytes, { generation, by, without, key }: Unsigned<RoomKey>): Bytes {
  return canonical('shoal room key 1', roomId, generation, raw(by), concatenate(...without.map(rawId)), raw(key));
}

/** Texts that are no base64url have passed a schema that allows none: signing them would sign something else. */
function raw(text: string): Bytes {
  const bytes = fromBase64url(text);
  if (!bytes) throw new TypeError('An id or key is not base64url.');
  return bytes;
}

function rawId(id: string): Bytes {
  const bytes = raw(id);
  // joined without lengths, so that each must have the same
  if (bytes.length !== DEVICE_ID_BYTES) throw new TypeError(`A device id is ${DEVICE_ID_BYTES} bytes.`);
  return bytes;
}

/** One text for one content, whatever the order of its fields. */
function contentOf(signed: RosterEntry | Tombstone): string {
  return JSON.stringify(signed, ['device', 'publicKey', 'name', 'rank', 'by', 'keeps', 'signature']);
}
