import type { RoomKey } from '../types.ts';
import { compareText } from './bytes.ts';
import type { Membership } from './roster.ts';

export const MAX_ROOM_KEYS = 16;
export const MAX_GENERATION = 1_000_000_000;

/** The 16 highest of both; commutative, associative, idempotent. */
export function uniteKeys(one: readonly RoomKey[], other: readonly RoomKey[]): readonly RoomKey[] {
  const all = new Map([...one, ...other].map((key) => [JSON.stringify(fieldsOf(key)), key]));
  return [...all]
    .sort(([textA, a], [textB, b]) => b.generation - a.generation || compareText(textA, textB))
    .slice(0, MAX_ROOM_KEYS)
    .map(([, key]) => key);
}

/**
 * The key that newcomers have to prove: the highest whose maker is in and which no device that is out was given. Undefined
 * when the room needs a new one: nobody is let in until a member made it.
 */
export function currentKey(keys: readonly RoomKey[], membership: Membership): RoomKey | undefined {
  const place = new Map(membership.members.map(({ device }, at) => [device, at]));
  const clean = keys.filter(({ by, without }) => place.has(by) && membership.out.every((out) => without.includes(out)));
  return clean.sort(
    (a, b) =>
      b.generation - a.generation ||
      (place.get(a.by) ?? 0) - (place.get(b.by) ?? 0) ||
      compareText(JSON.stringify(fieldsOf(a)), JSON.stringify(fieldsOf(b))),
  )[0];
}

function fieldsOf({ generation, by, without, key }: RoomKey) {
  return [generation, by, without, key];
}
