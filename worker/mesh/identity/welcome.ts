import { PersonError } from '../../errors.ts';
import type { DeviceId, RoomKey, Roster, RosterEntry, Tombstone } from '../types.ts';
import type { AskFirst } from './ask-first.ts';
import { uniteKeys } from './room-keys.ts';
import { membershipOf } from './roster.ts';
import type { IdentityMessage, RoomKeysMessage, RosterPart, Welcome } from './schemas.ts';
import { isMakerOf, type RoomNames } from './secrets.ts';
import type { Verifier } from './signed.ts';

/** And since a denial tells that the invite was replaced. */
const SINCE_SIGNED_KEYS = 2;
/** Below the 64 KiB of a control message, with room for what encloses it. */
const MAX_PART_BYTES = 48 * 1024;
/** Parts of a roster before a welcome: more than the largest roster takes. */
export const MAX_ROSTER_PARTS = 64;

/** What to send to a device that was let in, in this order; the welcome is the last. */
export function welcomeMessages(
  roster: Roster,
  keys: readonly RoomKey[],
  { askFirst, askFirstChange }: AskFirst,
): readonly (RosterPart | Welcome)[] {
  const parts = rosterMessages(roster);
  // the highest come first: what does not fit is only good to tell an old invite
  const [held = []] = cut(keys, MAX_PART_BYTES / 2);
  const { maker, salt } = roster;
  return [
    ...parts,
    { kind: 'welcome', maker, salt, entries: [], tombstones: [], keys: held, askFirst, askFirstChange },
  ];
}

/** A roster, or news of one, in messages that fit; each rests on those before it. */
export function rosterMessages({ entries, tombstones }: Pick<Roster, 'entries' | 'tombstones'>): readonly RosterPart[] {
  return [
    ...cut<RosterEntry>(entries, MAX_PART_BYTES).map(
      (part): RosterPart => ({ kind: 'roster', entries: part, tombstones: [] }),
    ),
    ...cut<Tombstone>(tombstones, MAX_PART_BYTES).map(
      (part): RosterPart => ({ kind: 'roster', entries: [], tombstones: part }),
    ),
  ];
}

export function roomKeysMessages(keys: readonly RoomKey[]): readonly RoomKeysMessage[] {
  return cut(keys, MAX_PART_BYTES).map((part) => ({ kind: 'room-keys', keys: part }));
}

/** A message as a peer that speaks this version of the wire reads it. */
export function inVersion(message: IdentityMessage, version: number): IdentityMessage {
  if (version >= SINCE_SIGNED_KEYS) return message;
  if (message.kind === 'denied' && message.reason === 'old-invite') return { ...message, reason: 'expired' };
  if (message.kind !== 'room-keys' && message.kind !== 'welcome') return message;
  return { ...message, keys: message.keys.map(({ signature: _, ...key }) => key) };
}

export interface Joined extends AskFirst {
  readonly roster: Roster;
  readonly keys: readonly RoomKey[];
}

/**
 * Believes a welcome, or not: the maker must be the one that the room's secret names, and by the signed roster the sender
 * and this device must be members. Throws `PersonError` otherwise: whoever has the invite can pose as a member up to here.
 * @param parts the roster messages that came before it on the link
 */
export async function openWelcome(
  room: RoomNames,
  verifier: Verifier,
  own: DeviceId,
  sender: DeviceId,
  parts: readonly RosterPart[],
  welcome: Welcome,
): Promise<Joined> {
  const { maker, salt, keys, askFirst, askFirstChange } = welcome;
  if (!(await isMakerOf(room.secret, maker, salt))) throw notARoom('its maker is another');
  const incoming = [...parts, welcome];
  const { roster } = await verifier.takeIn(
    { maker, salt, entries: [], tombstones: [] },
    {
      entries: incoming.flatMap(({ entries }) => entries),
      tombstones: incoming.flatMap(({ tombstones }) => tombstones),
    },
  );
  const membership = membershipOf(roster);
  if (membership.standing(sender) !== 'member') throw notARoom('the device that answered is not in it');
  if (membership.standing(own) !== 'member') throw notARoom('this device was not signed in');
  const holding = await verifier.keysThatHold(membership, keys);
  return { roster, keys: uniteKeys([], holding, membership), askFirst, askFirstChange };
}

function notARoom(why: string): PersonError {
  return new PersonError(
    `A device that has this invite answered, but it does not speak for the room: ${why}. Ask for a new invite.`,
    { problem: 'not-the-room' },
  );
}

function cut<T>(items: readonly T[], limit: number): readonly T[][] {
  const parts: T[][] = [];
  let left = 0;
  for (const item of items) {
    const bytes = new TextEncoder().encode(JSON.stringify(item)).length + 1;
    if (bytes > left || parts.length === 0) {
      parts.push([]);
      left = limit;
    }
    parts.at(-1)?.push(item);
    left -= bytes;
  }
  return parts;
}
