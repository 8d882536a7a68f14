import type { DeviceId, DeviceState, ModelKey, Placement, PlacementId, SessionId, StageAssignment } from '../types.ts';

/** A frame's slot where the driver of the session receives it, not a stage. */
export const DRIVER_SLOT = 0xffff;

/** A slot on a device: where a stage takes a session's frames. */
export interface SlotAddress {
  readonly device: DeviceId;
  readonly slot: number;
}

/** [device, incarnation, counter] of a state record. */
export type RecordPair = readonly [DeviceId, number, number];

/** Whatever the last stage's sampler needs, seed included: the room carries it, the engine reads it. */
export type Sampler = unknown;

/** What devices say on the control channel: JSON, at most 64 KiB, validated by the wire before it comes here. */
export type ControlMessage =
  | { readonly kind: 'gossip'; readonly states: readonly DeviceState[]; readonly placements: readonly Placement[] }
  | {
      readonly kind: 'digest';
      /** None: it speaks of placements alone. */
      readonly states: readonly RecordPair[];
      readonly placements: readonly PlacementId[];
      /** Of models above the first and up to the second; null: without a bound. Absent: of all. */
      readonly models?: readonly [after: ModelKey | null, upTo: ModelKey | null];
    }
  | { readonly kind: 'want'; readonly states: readonly DeviceId[]; readonly placements: readonly PlacementId[] }
  | { readonly kind: 'goodbye' }
  | PrepareMessage
  | PreparedMessage
  | RefusedMessage
  | StartMessage
  /** The attempts up to this one are over; what they computed stays. */
  | { readonly kind: 'stop'; readonly session: SessionId; readonly attempt: number }
  /** The session is gone for good. */
  | { readonly kind: 'forget'; readonly session: SessionId }
  /** From a stage to the driver: frames of this attempt were or may be lost here. */
  | { readonly kind: 'broken'; readonly session: SessionId; readonly attempt: number };

export interface PrepareMessage {
  readonly kind: 'prepare';
  readonly session: SessionId;
  readonly attempt: number;
  readonly placement: Placement;
  /** Index into the placement's stages. */
  readonly stage: number;
}

export interface PreparedMessage {
  readonly kind: 'prepared';
  readonly session: SessionId;
  readonly attempt: number;
  readonly stage: number;
  readonly slot: number;
  /** The last attempt that started here: the keys and values are of its tokens. 0: none. */
  readonly at: number;
  /** Positions below have keys and values here. */
  readonly have: number;
  /** Positions from here to `have` can be sent to the next stage again. */
  readonly retained: number;
}

export interface RefusedMessage {
  readonly kind: 'refused';
  readonly session: SessionId;
  readonly attempt: number;
  readonly stage: number;
  /** `stale`: `known` is a higher attempt; `busy`: no slot is free. */
  readonly reason: 'stale' | 'no-stage' | 'busy';
  readonly known: number;
}

export interface StartMessage {
  readonly kind: 'start';
  readonly session: SessionId;
  readonly attempt: number;
  readonly stage: number;
  /** As `prepared` named it. */
  readonly slot: number;
  /** First position that it computes. */
  readonly begin: number;
  /** Tokens that the driver has: the row before this position is the first that is sampled from. */
  readonly known: number;
  /** Who sends it rows; none for the first stage. */
  readonly previous: SlotAddress | null;
  /** Who gets its rows, those from `begin` on; none for the last stage. */
  readonly next: (SlotAddress & { readonly begin: number }) | null;
  /** Where sampled tokens go, beside the driver; for the last stage only. */
  readonly first: SlotAddress | null;
  /** For the last stage only. */
  readonly sampler: Sampler;
}

interface FrameFence {
  /** Lower 32 bits of the placement's. */
  readonly epoch: number;
  readonly session: SessionId;
  readonly attempt: number;
  /** At the receiver. */
  readonly slot: number;
  /** Position of the first row or token; of progress and acknowledgements how far it came. */
  readonly first: number;
}

/**
 * What stages and drivers say on the data channel. P holds rows and is opaque here.
 * `rows`: from a stage to the next. `tokens`: from the driver the tokens it starts with, from the last stage what was
 * sampled. `progress`: computed up to there while the prompt is read. `acknowledgement`: so many tokens are on the
 * driver's disk.
 */
export type Frame<P> =
  | (FrameFence & { readonly kind: 'rows'; readonly rows: number; readonly sample: boolean; readonly payload: P })
  | (FrameFence & { readonly kind: 'tokens'; readonly tokens: readonly number[]; readonly extra?: P })
  | (FrameFence & { readonly kind: 'progress' })
  | (FrameFence & { readonly kind: 'acknowledgement' });

export type RowsFrame<P> = Extract<Frame<P>, { kind: 'rows' }>;
export type TokensFrame<P> = Extract<Frame<P>, { kind: 'tokens' }>;

/** Layers of a model, on whichever device. */
export interface StageKey {
  readonly model: ModelKey;
  readonly first: number;
  readonly last: number;
}

export type { StageAssignment };
