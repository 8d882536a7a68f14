import type { DeviceId, Roster, RosterEntry, Tombstone } from '../types.ts';
import { compareText } from './bytes.ts';

/** Members of a room at most. */
export const MAX_MEMBERS = 64;
/** Of all times; what comes above is not taken in. */
export const MAX_ENTRIES = 512;
export const MAX_TOMBSTONES = 1024;
/** By one signer, of each. */
export const MAX_SIGNED = 64;
/** For so many tombstones by each of the first 64 devices there is room, whatever those sign that came after it. */
export const RESERVED_TOMBSTONES = 8;
export const MAX_RANK = 1_000_000;

/**
 * What two devices know together: commutative, associative and idempotent. Checks nothing: both must hold only what
 * was checked (`Verifier.takeIn`), which also bounds them.
 */
export function unite(one: Roster, other: Pick<Roster, 'entries' | 'tombstones'>): Roster {
  return {
    maker: one.maker,
    salt: one.salt,
    // a signer that signs twice: the one with the lower rank, then any, but everywhere the same
    entries: leastOfEach(
      [...one.entries, ...other.entries],
      (a, b) => a.rank - b.rank || compareText(a.name, b.name) || compareText(a.signature, b.signature),
    ).sort(compareEntries),
    tombstones: leastOfEach(
      [...one.tombstones, ...other.tombstones],
      (a, b) => compareText(a.keeps.join(), b.keeps.join()) || compareText(a.signature, b.signature),
    ).sort((a, b) => compareText(a.device, b.device) || compareText(a.by, b.by)),
  };
}

/** Tells whether two rosters differ, to exchange them only then; protects against nothing. */
export function rosterDigest(roster: Roster): string {
  let [low, high] = [0x811c9dc5, 0x01000193];
  for (const { signature } of [...roster.entries, ...roster.tombstones]) {
    for (let at = 0; at < signature.length; at++) {
      low = Math.imul(low ^ signature.charCodeAt(at), 0x01000193);
      high = Math.imul(high + low, 0x85ebca6b) ^ (high >>> 13);
    }
  }
  return [roster.entries.length, roster.tombstones.length, (low >>> 0).toString(16), (high >>> 0).toString(16)].join(
    '-',
  );
}

function compareEntries(a: RosterEntry, b: RosterEntry): number {
  return a.rank - b.rank || compareText(a.device, b.device) || compareText(a.by, b.by);
}

/** Of those of one device and one signer the least. */
function leastOfEach<T extends RosterEntry | Tombstone>(all: readonly T[], compare: (a: T, b: T) => number): T[] {
  const least = new Map<string, T>();
  for (const item of all) {
    const key = `${item.device} ${item.by}`;
    const known = least.get(key);
    if (known === undefined || compare(item, known) < 0) least.set(key, item);
  }
  return [...least.values()];
}

/** What a roster says of a device: in, tombstoned, or neither (also when who let it in no longer counts). */
export type Standing = 'member' | 'removed' | 'unknown';

/** What follows from a roster; nothing is checked again. */
export interface Membership {
  readonly roster: Roster;
  /** Of members the entry that holds, those who were here first first; at most 64. */
  readonly members: readonly RosterEntry[];
  /** Devices that were let in or tombstoned and are not in; ascending. */
  readonly out: readonly DeviceId[];
  /** Removals that hold. */
  readonly removals: readonly Tombstone[];
  /** Of each device to which entries chain from the maker's, also a removed one, the one that counts. */
  readonly chained: ReadonlyMap<DeviceId, RosterEntry>;
  standing(device: DeviceId): Standing;
  member(device: DeviceId): RosterEntry | undefined;
}

/** Who is a member, by the rules of docs/protocol.md. */
export function membershipOf(roster: Roster): Membership {
  const { chained, removals } = judge(roster);
  const removed = new Set(removals.map(({ device }) => device));
  const inside = [...chained.values()].filter(({ device }) => !removed.has(device));
  const insideIds = new Set(inside.map(({ device }) => device));
  const members = inside.slice(0, MAX_MEMBERS);
  const byDevice = new Map(members.map((entry) => [entry.device, entry]));
  const known = new Set([...roster.entries, ...roster.tombstones].map(({ device }) => device));
  return {
    roster,
    members,
    out: [...known].filter((device) => !insideIds.has(device)).sort(compareText),
    removals,
    chained,
    standing: (device) => (byDevice.has(device) ? 'member' : removed.has(device) ? 'removed' : 'unknown'),
    member: (device) => byDevice.get(device),
  };
}

/**
 * The entries by which a member was let in, its own first, the maker's last: what it shows to a device that does not know
 * it. Empty for who is no member.
 */
export function chainOf({ chained }: Membership, device: DeviceId): readonly RosterEntry[] {
  const chain: RosterEntry[] = [];
  for (let at = chained.get(device); at; at = chained.get(at.by)) {
    chain.push(at);
    if (at.device === at.by) return chain;
  }
  return [];
}

/**
 * Counts down what signers may still add to a roster. What is above does not go in, and pushes nothing out: so whoever signs
 * much cannot keep those who came earlier from removing it.
 */
export class RosterRoom {
  readonly #order: readonly DeviceId[];
  readonly #entries: Map<DeviceId, Set<DeviceId>>;
  readonly #tombstones: Map<DeviceId, Set<DeviceId>>;
  #entryCount: number;
  #tombstoneCount: number;

  constructor(roster: Roster) {
    // removed ones too: whether a removal holds may change
    this.#order = [...judge({ ...roster, tombstones: [] }).chained.keys()].slice(0, MAX_MEMBERS);
    this.#entries = signedAbout(roster.entries);
    this.#tombstones = signedAbout(roster.tombstones);
    this.#entryCount = roster.entries.length;
    this.#tombstoneCount = roster.tombstones.length;
  }

  /** Whether it may go in; it is counted if so. Another one of the same signer about the same device takes no room. */
  takeEntry({ device, by }: RosterEntry): boolean {
    const about = setOf(this.#entries, by);
    if (about.has(device)) return true;
    if (isFull(about, by) || this.#entryCount >= MAX_ENTRIES) return false;
    about.add(device);
    this.#entryCount++;
    return true;
  }

  takeTombstone({ device, by }: Tombstone): boolean {
    const about = setOf(this.#tombstones, by);
    if (about.has(device)) return true;
    // it may always leave
    const isTooMuch = device !== by && isFull(about, by);
    if (isTooMuch || this.#tombstoneCount + this.#reservedFrom(by) >= MAX_TOMBSTONES) return false;
    about.add(device);
    this.#tombstoneCount++;
    return true;
  }

  /** What those who came before this one have not used of what is theirs. */
  #reservedFrom(signer: DeviceId): number {
    const place = this.#order.indexOf(signer);
    return this.#order
      .slice(0, place < 0 ? MAX_MEMBERS : place)
      .map((device) => Math.max(0, RESERVED_TOMBSTONES - (this.#tombstones.get(device)?.size ?? 0)))
      .reduce((sum, left) => sum + left, 0);
  }
}

/** Whether a signer has signed as much as it may, beside what it signed about itself. */
function isFull(about: ReadonlySet<DeviceId>, by: DeviceId): boolean {
  return about.size - (about.has(by) ? 1 : 0) >= MAX_SIGNED;
}

/** Of each signer about whom it signed. */
function signedAbout(all: readonly (RosterEntry | Tombstone)[]): Map<DeviceId, Set<DeviceId>> {
  const about = new Map<DeviceId, Set<DeviceId>>();
  for (const { device, by } of all) setOf(about, by).add(device);
  return about;
}

function setOf(sets: Map<DeviceId, Set<DeviceId>>, of: DeviceId): Set<DeviceId> {
  const set = sets.get(of) ?? new Set();
  sets.set(of, set);
  return set;
}

interface Judged {
  readonly chained: ReadonlyMap<DeviceId, RosterEntry>;
  readonly removals: readonly Tombstone[];
}

interface Reached {
  readonly entry: RosterEntry;
  /** Where it does not lie above that of its signer it counts as the next above. */
  readonly rank: number;
  /** Of its device among all, to compare fast. */
  readonly place: number;
}

/**
 * Goes through the devices in the order of (rank, device). At its turn each that was not removed before removes those whom it
 * tombstoned; a removed device lets in only those whom a removal of it keeps. A removal that reaches back, to who was let
 * in by then, begins the order anew: but what was dealt with stays.
 */
function judge(roster: Roster): Judged {
  const entriesBy = bySigner(roster.entries);
  const tombstonesBy = bySigner(roster.tombstones);
  const kept = new Map<DeviceId, Set<DeviceId>>();
  const byDevice = [...roster.entries].sort((a, b) => compareText(a.device, b.device) || compareEntries(a, b));
  const places = new Map(byDevice.map((entry, place) => [entry, place]));
  const reach = (entry: RosterEntry, rank: number): Reached => ({ entry, rank, place: places.get(entry) ?? 0 });
  const isKept = ({ device, by }: RosterEntry) => device === by || kept.get(by)?.has(device) !== false;
  const dealt = new Set<DeviceId>();
  const removals: Tombstone[] = [];
  for (;;) {
    const chained = new Map<DeviceId, RosterEntry>();
    const passedOver: RosterEntry[] = [];
    const reached = (entriesBy.get(roster.maker) ?? [])
      .filter(({ device }) => device === roster.maker)
      .map((entry) => reach(entry, 0));
    let isWhole = true;
    // grows while it is gone through: whoever is let in comes after who let it in
    for (let at = 0; isWhole && at < reached.length; at++) {
      const { entry, rank } = reached[at] as Reached;
      const { device } = entry;
      if (!isKept(entry)) passedOver.push(entry);
      if (chained.has(device) || !isKept(entry)) continue;
      chained.set(device, entry);
      for (const next of entriesBy.get(device) ?? [])
        if (next.device !== device) insert(reached, at + 1, reach(next, Math.max(next.rank, rank + 1)));
      const signed = tombstonesBy.get(device);
      if (signed === undefined || dealt.has(device) || kept.has(device)) continue;
      dealt.add(device);
      removals.push(...signed);
      for (const { device: removed, keeps } of signed)
        kept.set(removed, new Set([...(kept.get(removed) ?? []), ...keeps]));
      isWhole = [...chained.values()].every(isKept) && !passedOver.some(isKept);
    }
    if (isWhole) return { chained, removals };
  }
}

function bySigner<T extends RosterEntry | Tombstone>(all: readonly T[]): ReadonlyMap<DeviceId, readonly T[]> {
  const lists = new Map<DeviceId, T[]>();
  for (const signed of all) {
    const list = lists.get(signed.by);
    if (list) list.push(signed);
    else lists.set(signed.by, [signed]);
  }
  return lists;
}

/** Into what is sorted from there on. */
function insert(sorted: Reached[], from: number, item: Reached): void {
  let [low, high] = [from, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { rank, place } = sorted[middle] as Reached;
    if (rank < item.rank || (rank === item.rank && place <= item.place)) low = middle + 1;
    else high = middle;
  }
  sorted.splice(low, 0, item);
}
