import * as v from 'valibot';
import type { DeviceId, RoomKey, Roster, RosterEntry, Tombstone } from '../types.ts';
import { MAX_ASK_FIRST_CHANGE } from './ask-first.ts';
import { fromBase64url } from './bytes.ts';
import { DEVICE_ID_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from './device-key.ts';
import { isName, MAX_NAME_CHARACTERS } from './names.ts';
import { MAX_GENERATION, MAX_ROOM_KEYS } from './room-keys.ts';
import { MAX_ENTRIES, MAX_MEMBERS, MAX_RANK, MAX_TOMBSTONES } from './roster.ts';
import { ROOM_KEY_BYTES, SECRET_BYTES } from './secrets.ts';

/** The one base64url text of so many bytes. */
export function base64urlSchema(bytes: number) {
  return v.pipe(
    v.string(),
    v.length(Math.ceil((bytes * 4) / 3)),
    v.check((text) => fromBase64url(text, bytes) !== undefined, `not ${bytes} bytes in base64url`),
  );
}

export const DeviceIdSchema: v.GenericSchema<unknown, DeviceId> = base64urlSchema(DEVICE_ID_BYTES);
export const PublicKeySchema = base64urlSchema(PUBLIC_KEY_BYTES);
export const SignatureSchema = base64urlSchema(SIGNATURE_BYTES);
export const NameSchema = v.pipe(
  v.string(),
  v.maxLength(2 * MAX_NAME_CHARACTERS),
  v.check(isName, 'no printable name'),
);

export const RosterEntrySchema: v.GenericSchema<unknown, RosterEntry> = v.strictObject({
  device: DeviceIdSchema,
  publicKey: PublicKeySchema,
  name: NameSchema,
  rank: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_RANK)),
  by: DeviceIdSchema,
  signature: SignatureSchema,
});

const AscendingIdsSchema = v.pipe(
  v.array(DeviceIdSchema),
  v.maxLength(MAX_ENTRIES),
  v.check((ids) => ids.every((id, at) => at === 0 || (ids[at - 1] ?? '') < id), 'not ascending'),
);

export const TombstoneSchema: v.GenericSchema<unknown, Tombstone> = v.strictObject({
  device: DeviceIdSchema,
  by: DeviceIdSchema,
  keeps: v.pipe(AscendingIdsSchema, v.maxLength(MAX_MEMBERS)),
  signature: SignatureSchema,
});

/** Of version 1 of the wire a key has no signature, and is worth nothing to this device. */
export type HeardRoomKey = Omit<RoomKey, 'signature'> & { readonly signature?: string | undefined };
export const RoomKeySchema: v.GenericSchema<unknown, HeardRoomKey> = v.strictObject({
  generation: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_GENERATION)),
  by: DeviceIdSchema,
  without: AscendingIdsSchema,
  key: base64urlSchema(ROOM_KEY_BYTES),
  signature: v.optional(SignatureSchema),
});

const AskFirstChangeSchema = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_ASK_FIRST_CHANGE));

const rosterFields = {
  entries: v.pipe(v.array(RosterEntrySchema), v.maxLength(MAX_ENTRIES)),
  tombstones: v.pipe(v.array(TombstoneSchema), v.maxLength(MAX_TOMBSTONES)),
};
const RoomKeysSchema = v.pipe(v.array(RoomKeySchema), v.maxLength(MAX_ROOM_KEYS));

/** What a device keeps, and what its disk gives back. */
export const RosterSchema: v.GenericSchema<unknown, Roster> = v.strictObject({
  maker: DeviceIdSchema,
  salt: base64urlSchema(SECRET_BYTES),
  ...rosterFields,
});

/** Newcomer to member, once proved. */
export const AskSchema = v.strictObject({ kind: v.literal('ask'), name: NameSchema });
/** Member to newcomer: somebody has to allow. */
export const AskingSchema = v.strictObject({ kind: v.literal('asking') });
/** Member to newcomer: no, or the question ended. */
export const DeniedSchema = v.strictObject({
  kind: v.literal('denied'),
  /** 'old-invite', since version 2: the room key changed while it waited. */
  reason: v.picklist(['denied', 'expired', 'busy', 'full', 'removed', 'old-invite']),
});
/** Member to newcomer: in. What does not fit follows in `roster` messages. */
export const WelcomeSchema = v.strictObject({
  kind: v.literal('welcome'),
  maker: DeviceIdSchema,
  salt: base64urlSchema(SECRET_BYTES),
  ...rosterFields,
  keys: RoomKeysSchema,
  askFirst: v.boolean(),
  /** Came later: a room whose members do not say it has not changed it. */
  askFirstChange: v.optional(AskFirstChangeSchema, 0),
});
/** Between members: whether a newcomer is asked about, when it changed and over each new link. */
export const AskFirstSchema = v.strictObject({
  kind: v.literal('ask-first'),
  askFirst: v.boolean(),
  askFirstChange: AskFirstChangeSchema,
});
/** Between members: a part of the roster that the other may lack. */
export const RosterPartSchema = v.strictObject({ kind: v.literal('roster'), ...rosterFields });
/** Between members, pairwise over proved links. */
export const RoomKeysMessageSchema = v.strictObject({ kind: v.literal('room-keys'), keys: RoomKeysSchema });
/** Between members: somebody wants in; passed on. */
export const QuestionSchema = v.strictObject({
  kind: v.literal('question'),
  device: DeviceIdSchema,
  publicKey: PublicKeySchema,
  name: NameSchema,
  /** The member that the newcomer is linked to. */
  host: DeviceIdSchema,
  leftMs: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(120_000)),
});
/** Between members: a question is over; passed on. */
export const DenialSchema = v.strictObject({
  kind: v.literal('denial'),
  device: DeviceIdSchema,
  by: DeviceIdSchema,
  /** Withdrawn: the newcomer went away. */
  reason: v.picklist(['denied', 'withdrawn']),
});

export type Ask = v.InferOutput<typeof AskSchema>;
export type Asking = v.InferOutput<typeof AskingSchema>;
export type Denied = v.InferOutput<typeof DeniedSchema>;
export type Welcome = v.InferOutput<typeof WelcomeSchema>;
export type RosterPart = v.InferOutput<typeof RosterPartSchema>;
export type RoomKeysMessage = v.InferOutput<typeof RoomKeysMessageSchema>;
export type Question = v.InferOutput<typeof QuestionSchema>;
export type Denial = v.InferOutput<typeof DenialSchema>;

/** All that identity says over a proved link, for the control channel's schema. */
export const IDENTITY_SCHEMAS = [
  AskSchema,
  AskingSchema,
  DeniedSchema,
  WelcomeSchema,
  RosterPartSchema,
  RoomKeysMessageSchema,
  AskFirstSchema,
  QuestionSchema,
  DenialSchema,
] as const;
export const IdentityMessageSchema = v.variant('kind', IDENTITY_SCHEMAS);
export type IdentityMessage = v.InferOutput<typeof IdentityMessageSchema>;
