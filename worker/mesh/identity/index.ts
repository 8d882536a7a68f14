/** Who a device is, who is in a room, and how two devices prove it to one another; docs/protocol.md says the rules. */
export { type AskFirst, laterAskFirst, setAskFirst } from './ask-first.ts';
export { ASKING_MS, AskingDesk, type AskingEffect, MAX_QUESTIONS, type OpenQuestion } from './asking.ts';
export { type Device, type OpenDeviceOptions, openDevice, type RoomRecord, type SlotLocks } from './device.ts';
export { type DeviceKey, generateKey, openKey } from './device-key.ts';
export { dtlsFingerprint } from './fingerprint.ts';
export { type Invite, inviteCode, JOIN_PREFIX, looksLikeInvite, makeInviteLink, readInvite } from './invite.ts';
export { admit, makeRoom, type Newcomer, type NewRoom, nextKey, type Removal, remove } from './members.ts';
export { cleanName, isName, MAX_NAME_CHARACTERS } from './names.ts';
export { MAX_PROOF_MESSAGE_BYTES, type Role, type Side } from './proof-messages.ts';
export {
  type OwnPart,
  PROOF_TIMEOUT_MS,
  type ProofOutcome,
  type ProofStep,
  Prover,
  type ProverOptions,
  type RefusalReason,
  WIRE_VERSIONS,
} from './prover.ts';
export { currentKey, MAX_ROOM_KEYS, uniteKeys } from './room-keys.ts';
export { chainOf, MAX_MEMBERS, type Membership, membershipOf, rosterDigest, type Standing, unite } from './roster.ts';
export * from './schemas.ts';
export { namesOfRoom, type RoomNames } from './secrets.ts';
export { type Taken, Verifier } from './signed.ts';
export { RecordStore } from './store.ts';
export {
  inVersion,
  type Joined,
  MAX_ROSTER_PARTS,
  openWelcome,
  roomKeysMessages,
  rosterMessages,
  welcomeMessages,
} from './welcome.ts';
