import * as v from 'valibot';
import type { IdentityMessage } from '../../mesh/identity/index.ts';
import { DeviceIdSchema, IDENTITY_SCHEMAS, inVersion, NameSchema, WIRE_VERSIONS } from '../../mesh/identity/index.ts';
import { LAST_COUNTER } from '../../mesh/room/constants.ts';
import {
  DEVICES_A_DIGEST,
  DRIVING_A_RECORD,
  PLACEMENTS_A_MESSAGE,
  RECORDS_A_MESSAGE,
  STAGES_A_RECORD,
} from '../../mesh/room/limits.ts';
import type { ControlMessage } from '../../mesh/room/messages.ts';
import type { DeviceState, Placement, PlacementId } from '../../mesh/types.ts';
import { type ControlCodec, controlCodec } from '../../mesh/wire/control.ts';
import { RoomSamplerSchema } from './room-sampler.ts';

/** Bounds on what a peer may make this device hold. */
const MAX_LAYERS = 1024;
const MAX_STAGES = 256;
const MAX_DEVICES = 64;
const MAX_POSITIONS = 1 << 24;
const MAX_BYTES = 2 ** 50;

const whole = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));
const counter = whole(2 * LAST_COUNTER);
const u32 = whole(0xffffffff);
const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const list = <T extends v.GenericSchema>(schema: T, most: number) => v.pipe(v.array(schema), v.maxLength(most));
const session = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));
const slot = whole(0xffff);
const position = whole(MAX_POSITIONS);

const model = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));
const placementId: v.GenericSchema<unknown, PlacementId> = v.strictObject({
  model,
  epoch: whole(2 ** 48),
  proposer: DeviceIdSchema,
});
const assignment = v.strictObject({ device: DeviceIdSchema, first: whole(MAX_LAYERS), last: whole(MAX_LAYERS) });

/** Stages that follow one another from layer 0 on, none of them empty. */
export const PlacementSchema: v.GenericSchema<unknown, Placement> = v.strictObject({
  id: placementId,
  stages: v.pipe(
    list(assignment, MAX_STAGES),
    v.minLength(1),
    v.check((stages) => stages.every(({ first, last }, i) => last > first && first === (stages[i - 1]?.last ?? 0))),
  ),
  spares: list(assignment, MAX_STAGES),
  laid: v.exactOptional(whole(2 ** 40)),
});

const deviceState: v.GenericSchema<unknown, DeviceState> = v.strictObject({
  device: DeviceIdSchema,
  incarnation: counter,
  counter,
  /** Of signaling: what its server takes as a peer's. */
  address: v.pipe(v.string(), v.regex(/^[\w-]{0,64}$/)),
  name: NameSchema,
  version: v.strictObject({ app: text(64), wire: whole(1000) }),
  profile: v.strictObject({
    compute: v.boolean(),
    budgetBytes: whole(MAX_BYTES),
    storage: v.picklist(['f16', 'f32']),
    platform: v.picklist(['iphone', 'ipad', 'mac', 'android', 'windows', 'linux', 'other']),
  }),
  freeBytes: whole(MAX_BYTES),
  visible: v.boolean(),
  wakeLock: v.boolean(),
  links: list(DeviceIdSchema, MAX_DEVICES),
  lost: list(DeviceIdSchema, MAX_DEVICES),
  stages: list(
    v.strictObject({
      placement: placementId,
      first: whole(MAX_LAYERS),
      last: whole(MAX_LAYERS),
      phase: v.picklist(['loading', 'ready', 'failed']),
      doneBytes: whole(MAX_BYTES),
      totalBytes: whole(MAX_BYTES),
    }),
    STAGES_A_RECORD,
  ),
  driving: list(v.strictObject({ session, placement: placementId }), DRIVING_A_RECORD),
});

const address = v.strictObject({ device: DeviceIdSchema, slot });

const ROOM_SCHEMAS = [
  v.strictObject({
    kind: v.literal('gossip'),
    states: list(deviceState, RECORDS_A_MESSAGE),
    placements: list(PlacementSchema, PLACEMENTS_A_MESSAGE),
  }),
  v.strictObject({
    kind: v.literal('digest'),
    states: list(v.strictTuple([DeviceIdSchema, counter, counter]), DEVICES_A_DIGEST),
    placements: list(placementId, PLACEMENTS_A_MESSAGE),
    models: v.optional(v.strictTuple([v.nullable(model), v.nullable(model)])),
  }),
  v.strictObject({
    kind: v.literal('want'),
    states: list(DeviceIdSchema, DEVICES_A_DIGEST),
    placements: list(placementId, PLACEMENTS_A_MESSAGE),
  }),
  v.strictObject({ kind: v.literal('goodbye') }),
  v.strictObject({
    kind: v.literal('prepare'),
    session,
    attempt: u32,
    placement: PlacementSchema,
    stage: whole(MAX_STAGES),
  }),
  v.strictObject({
    kind: v.literal('prepared'),
    session,
    attempt: u32,
    stage: whole(MAX_STAGES),
    slot,
    at: u32,
    have: position,
    retained: position,
  }),
  v.strictObject({
    kind: v.literal('refused'),
    session,
    attempt: u32,
    stage: whole(MAX_STAGES),
    reason: v.picklist(['stale', 'no-stage', 'busy']),
    known: u32,
  }),
  v.strictObject({
    kind: v.literal('start'),
    session,
    attempt: u32,
    stage: whole(MAX_STAGES),
    slot,
    begin: position,
    known: position,
    previous: v.nullable(address),
    next: v.nullable(v.strictObject({ ...address.entries, begin: position })),
    first: v.nullable(address),
    sampler: v.nullable(RoomSamplerSchema),
  }),
  v.strictObject({ kind: v.literal('stop'), session, attempt: u32 }),
  v.strictObject({ kind: v.literal('forget'), session }),
  v.strictObject({ kind: v.literal('broken'), session, attempt: u32 }),
] as const;

export type LinkMessage = { readonly identity: IdentityMessage } | { readonly room: ControlMessage };
export type WireMessage = ControlMessage | IdentityMessage;

const ROOM_KINDS: ReadonlySet<string> = new Set(ROOM_SCHEMAS.map(({ entries }) => entries.kind.literal));
const SINCE_DIGEST_PARTS = 2;
const SINCE_LAID = 3;

const codec = controlCodec([...IDENTITY_SCHEMAS, ...ROOM_SCHEMAS]) as ControlCodec<WireMessage>;

/** All that devices of a room say on the control channel, to each peer in its version of the wire. */
export const roomCodec: ControlCodec<WireMessage> = {
  decode: codec.decode,
  encode(message, version = WIRE_VERSIONS[1]) {
    const read = readMessage(message);
    return codec.encode('room' in read ? roomInVersion(read.room, version) : inVersion(read.identity, version));
  },
};

/** Of version 1 every digest is of all models; before 3 nobody says when a model was laid. */
function roomInVersion(message: ControlMessage, version: number): ControlMessage {
  if (version >= SINCE_LAID) return message;
  switch (message.kind) {
    case 'gossip':
      return { ...message, placements: message.placements.map(withoutLaid) };
    case 'prepare':
      return { ...message, placement: withoutLaid(message.placement) };
    case 'digest': {
      if (version >= SINCE_DIGEST_PARTS) return message;
      const { models: _, ...digest } = message;
      return digest;
    }
    default:
      return message;
  }
}

function withoutLaid({ laid: _, ...placement }: Placement): Placement {
  return placement;
}

/** Tells what is the room's business from what is identity's. */
export function readMessage(message: WireMessage): LinkMessage {
  return ROOM_KINDS.has(message.kind) ? { room: message as ControlMessage } : { identity: message as IdentityMessage };
}
