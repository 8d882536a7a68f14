import * as v from 'valibot';
import type { DeviceId } from '../types.ts';
import { type Bytes, canonical, fromBase64url } from './bytes.ts';
import {
  base64urlSchema,
  DeviceIdSchema,
  PublicKeySchema,
  RosterEntrySchema,
  SignatureSchema,
  TombstoneSchema,
} from './schemas.ts';

/** A tombstone that keeps the 63 others of a full room fits. */
export const MAX_PROOF_MESSAGE_BYTES = 2048;
export const NONCE_BYTES = 32;
const MAC_BYTES = 32;
const MAX_VERSION = 65_535;

/** The side of a connection: it called, or it was called and answered. */
export type Side = 'called' | 'answered';
export type Role = 'member' | 'newcomer';
/** What a signature of the proof is for: a proof of oneself, or a refusal. */
export type Purpose = 'proof' | 'removed' | 'old-invite';

const VersionsSchema = v.pipe(
  v.strictTuple([
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_VERSION)),
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_VERSION)),
  ]),
  v.check(([least, greatest]) => least <= greatest, 'least above greatest'),
);

/** What every version's hello has: enough to say that there is none in common. */
export const AnyHelloSchema = v.object({ kind: v.literal('hello'), versions: VersionsSchema });
/** Not strict: a later version may say more. */
const HelloSchema = v.object({
  kind: v.literal('hello'),
  versions: VersionsSchema,
  device: DeviceIdSchema,
  publicKey: PublicKeySchema,
  nonce: base64urlSchema(NONCE_BYTES),
  role: v.picklist(['member', 'newcomer']),
});
const ProofSchema = v.strictObject({
  kind: v.literal('proof'),
  signature: SignatureSchema,
  mac: v.optional(base64urlSchema(MAC_BYTES)),
});
const AcceptedSchema = v.strictObject({ kind: v.literal('accepted') });
const VouchSchema = v.strictObject({ kind: v.literal('vouch') });
const EntrySchema = v.strictObject({ kind: v.literal('entry'), entry: RosterEntrySchema, last: v.boolean() });
/** From version 2 on: one or the other, each that bears on a removal. */
const EvidenceSchema = v.strictObject({
  kind: v.literal('evidence'),
  entry: v.optional(RosterEntrySchema),
  tombstone: v.optional(TombstoneSchema),
});
const RefusedSchema = v.strictObject({
  kind: v.literal('refused'),
  reason: v.picklist(['version', 'removed', 'old-invite', 'unknown']),
  signature: v.optional(SignatureSchema),
  mac: v.optional(base64urlSchema(MAC_BYTES)),
});
const ProofMessageSchema = v.variant('kind', [
  HelloSchema,
  ProofSchema,
  AcceptedSchema,
  VouchSchema,
  EntrySchema,
  EvidenceSchema,
  RefusedSchema,
]);

export type Hello = v.InferOutput<typeof HelloSchema>;
export type Proof = v.InferOutput<typeof ProofSchema>;
export type Evidence = v.InferOutput<typeof EvidenceSchema>;
export type Refused = v.InferOutput<typeof RefusedSchema>;
export type ProofMessage = v.InferOutput<typeof ProofMessageSchema>;

/** A message of the proof; a hello of another version as far as all versions agree; undefined for anything else. */
export function readProofMessage(text: string): ProofMessage | v.InferOutput<typeof AnyHelloSchema> | undefined {
  if (text.length > MAX_PROOF_MESSAGE_BYTES) return undefined;
  if (new TextEncoder().encode(text).length > MAX_PROOF_MESSAGE_BYTES) return undefined;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return undefined;
  }
  const message = v.safeParse(ProofMessageSchema, data);
  if (message.success) return message.output;
  const hello = v.safeParse(AnyHelloSchema, data);
  return hello.success ? hello.output : undefined;
}

/** What one side says of itself, and the certificate that its connection has. */
export interface SideFacts {
  readonly fingerprint: Bytes;
  readonly nonce: string;
  readonly device: DeviceId;
  readonly publicKey: string;
  readonly role: Role;
  readonly versions: readonly [number, number];
}

/** Everything that both sides must see alike. */
export function transcriptOf(roomId: Bytes, called: SideFacts, answered: SideFacts): Bytes {
  return canonical('shoal proof 1', roomId, ...fieldsOf(called), ...fieldsOf(answered));
}

/** What a side signs: bound to itself and to what it is for, so that it serves nobody else and for nothing else. */
export function statementOf(transcript: Bytes, speaker: Side, purpose: Purpose): Bytes {
  return canonical('shoal proof 1 statement', transcript, speaker, purpose);
}

function fieldsOf({ fingerprint, nonce, device, publicKey, role, versions }: SideFacts) {
  return [fingerprint, raw(nonce), raw(device), raw(publicKey), role, versions[0], versions[1]];
}

function raw(text: string): Bytes {
  const bytes = fromBase64url(text);
  if (!bytes) throw new TypeError('A field of the proof is not base64url.');
  return bytes;
}
