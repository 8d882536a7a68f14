import type { DeviceId, Roster, RosterEntry, Tombstone } from '../types.ts';
import { membershipOf } from './roster.ts';

/** Entries and tombstones that one side of a proof shows to the other, together. */
export const MAX_EVIDENCE = 64;

/**
 * What decides whether these devices are in: the entries and tombstones that name them, each with its signer's entries, then
 * those that name the signers, and so on; 64 at most, so what members signed comes first, and what nobody known signed not
 * at all.
 */
export function evidenceOf(roster: Roster, devices: readonly DeviceId[]): readonly (RosterEntry | Tombstone)[] {
  const { entries, tombstones } = roster;
  const membership = membershipOf(roster);
  const isByMember = ({ by }: Tombstone) => (membership.standing(by) === 'member' ? 0 : 1);
  const removals = [...tombstones].sort((a, b) => isByMember(a) - isByMember(b));
  const entriesOf = (device: DeviceId) => entries.filter((entry) => entry.device === device);
  const evidence = new Set<RosterEntry | Tombstone>();
  const asked = new Set(devices);
  // grows while it is gone through
  for (const device of asked) {
    const naming = [...removals.filter((removal) => removal.device === device), ...entriesOf(device)];
    for (const signed of naming) {
      const signer = entriesOf(signed.by);
      if (signer.length === 0) continue;
      for (const each of [signed, ...signer]) {
        if (evidence.size >= MAX_EVIDENCE) return [...evidence];
        evidence.add(each);
      }
      asked.add(signed.by);
    }
  }
  return [...evidence];
}
