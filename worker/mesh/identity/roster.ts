import type { DeviceId, Roster, RosterEntry, Tombstone } from '../types.ts';
import { compareText } from './bytes.ts';

/** Members of a room at most. */
export const MAX_MEMBERS = 64;
/** Entries that a roster keeps, of all times: the lowest by (rank, device, by). */
export const MAX_ENTRIES = 512;
export const MAX_ENTRIES_A_DEVICE = 4;
export const MAX_TOMBSTONES = 1024;
export const MAX_TOMBSTONES_A_DEVICE = 8;
export const MAX_RANK = 1_000_000;

/**
 * What two devices know together: commutative, associative and idempotent. Checks no signature: both must hold only what
 * was checked (`takeIn`).
 */
export function unite(one: Roster, other: Pick<Roster, 'entries' | 'tombstones'>): Roster {
  const entries = lowest(
    [...one.entries, ...other.entries],
    (entry) => `${entry.device} ${entry.by}`,
    (a, b) => a.rank - b.rank || compareText(a.name, b.name) || compareText(a.signature, b.signature),
    compareEntries,
    MAX_ENTRIES_A_DEVICE,
    MAX_ENTRIES,
  );
  const tombstones = lowest(
    [...one.tombstones, ...other.tombstones],
    (tombstone) => `${tombstone.device} ${tombstone.by}`,
    (a, b) => compareText(a.keeps.join(), b.keeps.join()) || compareText(a.signature, b.signature),
    (a, b) => compareText(a.device, b.device) || compareText(a.by, b.by),
    MAX_TOMBSTONES_A_DEVICE,
    MAX_TOMBSTONES,
  );
  return { maker: one.maker, salt: one.salt, entries, tombstones };
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

/** For a reader who wants entries so that each comes after those that it rests on. */
export function compareEntries(a: RosterEntry, b: RosterEntry): number {
  return a.rank - b.rank || compareText(a.device, b.device) || compareText(a.by, b.by);
}

/** Of each key the least by `within`, of each device the `perDevice` least by `order`, of all the `total` least. */
function lowest<T extends { readonly device: DeviceId }>(
  all: readonly T[],
  keyOf: (item: T) => string,
  within: (a: T, b: T) => number,
  order: (a: T, b: T) => number,
  perDevice: number,
  total: number,
): readonly T[] {
  const byKey = new Map<string, T>();
  for (const item of all) {
    const key = keyOf(item);
    const known = byKey.get(key);
    if (known === undefined || within(item, known) < 0) byKey.set(key, item);
  }
  const counts = new Map<DeviceId, number>();
  return [...byKey.values()]
    .sort(order)
    .filter(({ device }) => {
      const count = (counts.get(device) ?? 0) + 1;
      counts.set(device, count);
      return count <= perDevice;
    })
    .slice(0, total);
}

/** What a roster says of a device: in, tombstoned, or neither (also when who let it in no longer counts). */
export type Standing = 'member' | 'removed' | 'unknown';

/** What follows from a roster; nothing is checked again. */
export interface Membership {
  readonly roster: Roster;
  /** Of members the entry that holds, lowest (rank, device) first; at most 64. */
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
  const inside = [...chained(roster, removals).values()]
    .filter(({ device }) => !removed.has(device))
    .sort(compareEntries);
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
    if (at.rank === 0) return chain;
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
    const inside = chained(roster, holding);
    const next = [...bySigner.keys()]
      .flatMap((device) => inside.get(device) ?? [])
      .filter(({ device }) => !removed.has(device))
      .sort(compareEntries)[0];
    if (!next) break;
    holding.push(...(bySigner.get(next.device) ?? []));
    bySigner.delete(next.device);
  }
  return holding;
}

/**
 * For each device to which entries chain from the maker's, the lowest of them. A removed device lets in only those whom
 * a removal of it keeps.
 */
function chained(roster: Roster, removals: readonly Tombstone[]): ReadonlyMap<DeviceId, RosterEntry> {
  const kept = new Map<DeviceId, Set<DeviceId>>();
  for (const { device, keeps } of removals) {
    const all = kept.get(device) ?? new Set();
    for (const one of keeps) all.add(one);
    kept.set(device, all);
  }
  const holding = new Map<DeviceId, RosterEntry>();
  // entries ascend by rank and one of `by` is lower: it has been met before
  for (const entry of roster.entries) {
    if (holding.has(entry.device)) continue;
    const isMaker = entry.rank === 0 && entry.device === roster.maker && entry.by === roster.maker;
    const by = holding.get(entry.by);
    const letIn = by !== undefined && by.rank < entry.rank && kept.get(entry.by)?.has(entry.device) !== false;
    if (isMaker || letIn) holding.set(entry.device, entry);
  }
  return holding;
}
