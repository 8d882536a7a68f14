import type { RoomKey } from '../types.ts';
import { compareText } from './bytes.ts';
import { MAX_TOMBSTONES, type Membership } from './roster.ts';

export const MAX_ROOM_KEYS = 16;
/** A removal makes one, and one more where two members removed at once: no room that keeps to the rules has more. */
export const MAX_GENERATION = 4 * MAX_TOMBSTONES;

/**
 * The 16 of both that are worth most to a room of these members: clean ones, then those of members, then the highest.
 * Commutative, associative, idempotent. Checks nothing: both must hold only what was checked (`Verifier.keysThatHold`).
 */
export function uniteKeys(
  one: readonly RoomKey[],
  other: readonly RoomKey[],
  membership: Membership,
): readonly RoomKey[] {
  const worth = (key: RoomKey) => (isClean(key, membership) ? 2 : membership.member(key.by) ? 1 : 0);
  const all = new Map([...one, ...other].map((key) => [textOf(key), key]));
  return [...all]
    .map(([text, key]) => ({ text, key, worth: worth(key) }))
    .sort((a, b) => b.worth - a.worth || b.key.generation - a.key.generation || compareText(a.text, b.text))
    .slice(0, MAX_ROOM_KEYS)
    .map(({ key }) => key);
}

/**
 * The key that newcomers have to prove: the highest whose maker is in and which no device that is out was given. Undefined
 * when the room needs a new one: nobody is let in until a member made it.
 */
export function currentKey(keys: readonly RoomKey[], membership: Membership): RoomKey | undefined {
  const place = new Map(membership.members.map(({ device }, at) => [device, at]));
  return keys
    .filter((key) => isClean(key, membership))
    .sort(
      (a, b) =>
        b.generation - a.generation ||
        (place.get(a.by) ?? 0) - (place.get(b.by) ?? 0) ||
        compareText(textOf(a), textOf(b)),
    )[0];
}

function isClean({ by, without }: RoomKey, { member, out }: Membership): boolean {
  return member(by) !== undefined && out.every((device) => without.includes(device));
}

function textOf({ generation, by, without, key, signature }: RoomKey): string {
  return JSON.stringify([generation, by, without, key, signature]);
}
