import type { DeviceId, Roster, RosterEntry, Tombstone } from '../types.ts';
import { compareText } from './bytes.ts';

/** Members of a room at most. */
export const MAX_MEMBERS = 64;
/** Of all times; what comes above is not taken in. */
export const MAX_ENTRIES = 512;
export const MAX_TOMBSTONES = 1024;
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
  standing(device: DeviceId): Standing;
  member(device: DeviceId): RosterEntry | undefined;
}

/** Who is a member, by the rules of docs/protocol.md. */
export function membershipOf(roster: Roster): Membership {
  const removals = removalsThatHold(roster);
  const removed = new Set(removals.map(({ device }) => device));
  const inside = [...chained(roster, removals).values()].filter(({ device }) => !removed.has(device));
  const insideIds = new Set(inside.map(({ device }) => device));
  const members = inside.slice(0, MAX_MEMBERS);
  const byDevice = new Map(members.map((entry) => [entry.device, entry]));
  const known = new Set([...roster.entries, ...roster.tombstones].map(({ device }) => device));
  return {
    roster,
    members,
    out: [...known].filter((device) => !insideIds.has(device)).sort(compareText),
    removals,
    standing: (device) => (byDevice.has(device) ? 'member' : removed.has(device) ? 'removed' : 'unknown'),
    member: (device) => byDevice.get(device),
  };
}

/**
 * The entries by which a member was let in, its own first, the maker's last: what it shows to a device that does not know
 * it. Empty for who is no member.
 */
export function chainOf({ roster, removals }: Membership, device: DeviceId): readonly RosterEntry[] {
  const holding = chained(roster, removals);
  const chain: RosterEntry[] = [];
  for (let at = holding.get(device); at; at = holding.get(at.by)) {
    chain.push(at);
    if (at.device === at.by) return chain;
  }
  return [];
}

/** Tombstones in the order of their signers; what a removed device signed does not count, unless its turn came before. */
function removalsThatHold(roster: Roster): readonly Tombstone[] {
  const bySigner = new Map<DeviceId, Tombstone[]>();
  for (const tombstone of roster.tombstones) {
    bySigner.set(tombstone.by, [...(bySigner.get(tombstone.by) ?? []), tombstone]);
  }
  const holding: Tombstone[] = [];
  while (bySigner.size > 0) {
    const removed = new Set(holding.map(({ device }) => device));
    const next = [...chained(roster, holding).keys()].find((device) => bySigner.has(device) && !removed.has(device));
    if (next === undefined) break;
    holding.push(...(bySigner.get(next) ?? []));
    bySigner.delete(next);
  }
  return holding;
}

/**
 * For each device to which entries chain from the maker's the one that counts, in the order of (rank, device). A rank that
 * is not above that of its signer counts as the next above. A removed device lets in only those whom a removal of it keeps.
 */
function chained(roster: Roster, removals: readonly Tombstone[]): ReadonlyMap<DeviceId, RosterEntry> {
  const kept = new Map<DeviceId, Set<DeviceId>>();
  for (const { device, keeps } of removals) {
    const all = kept.get(device) ?? new Set();
    for (const one of keeps) all.add(one);
    kept.set(device, all);
  }
  const holding = new Map<DeviceId, RosterEntry>();
  const reached: { readonly entry: RosterEntry; readonly rank: number }[] = [];
  const bySigner = new Map<DeviceId, RosterEntry[]>();
  for (const entry of roster.entries) {
    if (entry.device !== entry.by) bySigner.set(entry.by, [...(bySigner.get(entry.by) ?? []), entry]);
    else if (entry.device === roster.maker) reached.push({ entry, rank: 0 });
  }
  while (reached.length > 0) {
    reached.sort(
      (a, b) => a.rank - b.rank || compareText(a.entry.device, b.entry.device) || compareEntries(a.entry, b.entry),
    );
    const next = reached.shift();
    if (!next || holding.has(next.entry.device)) continue;
    const by = next.entry.device;
    holding.set(by, next.entry);
    for (const entry of bySigner.get(by) ?? []) {
      const isKept = kept.get(by)?.has(entry.device) !== false;
      if (isKept && !holding.has(entry.device)) reached.push({ entry, rank: Math.max(entry.rank, next.rank + 1) });
    }
  }
  return holding;
}
