import type { DeviceId, Roster, RosterEntry, Tombstone } from '../types.ts';

/** Entries and tombstones that one side of a proof shows to the other, together. */
export const MAX_EVIDENCE = 64;

/**
 * What decides whether these devices are in: the entries and tombstones that name them, those that name their signers, and
 * so on; the nearest first, 64 at most.
 */
export function evidenceOf(roster: Roster, devices: readonly DeviceId[]): readonly (RosterEntry | Tombstone)[] {
  const evidence: (RosterEntry | Tombstone)[] = [];
  const asked = new Set(devices);
  // grows while it is gone through
  for (const device of asked) {
    for (const signed of [...roster.tombstones, ...roster.entries]) {
      if (signed.device !== device) continue;
      if (evidence.length >= MAX_EVIDENCE) return evidence;
      evidence.push(signed);
      asked.add(signed.by);
    }
  }
  return evidence;
}
