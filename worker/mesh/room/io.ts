import type { DeviceId, DeviceProfile, ModelKey, Placement, SessionId, StageAssignment } from '../types.ts';
import type { Attempts } from './cuts.ts';
import type { ControlMessage, Frame, Sampler, StageKey } from './messages.ts';

/** Rows of one session in one frame or one run: the room only cuts and weighs them. */
export interface Payloads<P> {
  bytes(payload: P): number;
  /** Rows [from, to) of `rows`. */
  slice(payload: P, from: number, to: number, rows: number): P;
  /** Rows of one after the other. */
  join(payloads: readonly P[]): P;
}

/** What a device has to know of models: of those whose header it has read. */
export interface ModelSizes {
  /** Undefined: not known here, so nothing is proposed for it. */
  layers(model: ModelKey): number | undefined;
  /** Memory that a stage takes with its keys and values, bytes. Undefined: not known here, the load itself must tell. */
  bytes(model: ModelKey, first: number, last: number, profile: DeviceProfile): number | undefined;
  /** Sessions that a stage serves at once. */
  slots(model: ModelKey): number;
  /** Token ids are below it, and conversations no longer. Undefined: not known here. */
  vocabulary?(model: ModelKey): number | undefined;
  contextTokens?(model: ModelKey): number | undefined;
}

export interface RoomOptions<P> {
  readonly device: DeviceId;
  /** Greater than at any load before. */
  readonly incarnation: number;
  readonly address: string;
  readonly name: string;
  readonly version: { readonly app: string; readonly wire: number };
  readonly profile: DeviceProfile;
  /** Beside the budget: memory for rows that stages gave, to send them again. Absent: the most that any device takes. */
  readonly retainedBytes?: number;
  readonly payloads: Payloads<P>;
  readonly models: ModelSizes;
  /** On the roster now: of others nothing is kept. */
  readonly isMember: (device: DeviceId) => boolean;
  /** In [0, 1). */
  readonly random: () => number;
}

/** All that the disk holds of a session beside its tokens. */
export interface SessionHead {
  readonly session: SessionId;
  readonly model: ModelKey;
  readonly attempts: Attempts;
  readonly answering: boolean;
  /** Tokens at which the answer ends. */
  readonly limit: number;
  readonly stopTokens: readonly number[];
  readonly sampler: Sampler;
}

export interface StoredSession {
  readonly head: SessionHead;
  readonly tokens: readonly number[];
}

/** What happens to a device. `peer` is always one that proved itself on that link. */
export type Input<P> =
  | { readonly kind: 'tick' }
  | { readonly kind: 'link-open'; readonly peer: DeviceId }
  | { readonly kind: 'link-closed'; readonly peer: DeviceId }
  /** A connection that was asked for did not come about. */
  | { readonly kind: 'connect-failed'; readonly peer: DeviceId }
  /** Something arrived that says nothing: it counts as being heard. */
  | { readonly kind: 'beat'; readonly peer: DeviceId }
  | { readonly kind: 'control'; readonly peer: DeviceId; readonly message: ControlMessage }
  | { readonly kind: 'frame'; readonly peer: DeviceId; readonly frame: Frame<P> }
  /** Frames of these sessions wait to go to the peer, and some of what waits has gone since the last tick. */
  | { readonly kind: 'moving'; readonly peer: DeviceId; readonly sessions: readonly SessionId[] }
  /** Signaling can reach it there. */
  | { readonly kind: 'present'; readonly peer: DeviceId; readonly address: string }
  /** It is no member any more. */
  | { readonly kind: 'removed'; readonly peer: DeviceId }
  | { readonly kind: 'presence'; readonly visible: boolean; readonly wakeLock: boolean }
  /** The page goes or hides: says goodbye. */
  | { readonly kind: 'leave' }
  /** The page that hid is back. */
  | { readonly kind: 'return' }
  // the person
  | {
      readonly kind: 'answer';
      readonly session: SessionId;
      readonly model: ModelKey;
      /** The whole conversation so far; as far as it agrees with the last answer's nothing is computed again. */
      readonly tokens: readonly number[];
      readonly maxTokens: number;
      readonly stopTokens: readonly number[];
      readonly sampler: Sampler;
    }
  | { readonly kind: 'stop'; readonly session: SessionId }
  | { readonly kind: 'forget'; readonly session: SessionId }
  /** Placements of before this device was loaded again. */
  | { readonly kind: 'remember'; readonly placements: readonly Placement[] }
  /** What models may take here is another amount now. What is over it goes once nobody needs it. */
  | { readonly kind: 'budget'; readonly bytes: number; readonly retainedBytes?: number }
  /** A placement by hand. */
  | { readonly kind: 'place'; readonly model: ModelKey; readonly stages: readonly StageAssignment[] }
  // the disk
  | { readonly kind: 'restore'; readonly sessions: readonly StoredSession[] }
  | { readonly kind: 'stored'; readonly session: SessionId; readonly ticket: number }
  // stages of this device
  | {
      readonly kind: 'stage-progress';
      readonly stage: StageKey;
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  | { readonly kind: 'stage-ready'; readonly stage: StageKey }
  | { readonly kind: 'stage-failed'; readonly stage: StageKey }
  /** With its weights all keys and values are gone. */
  | { readonly kind: 'stage-lost'; readonly stage: StageKey }
  /** The executor had to take this slot's keys and values. */
  | { readonly kind: 'slot-lost'; readonly slot: number; readonly session: SessionId }
  | ComputedInput<P>;

/** A run is done: `output` of a stage that is not the last, `tokens` where the run was to be sampled from. */
export interface ComputedInput<P> {
  readonly kind: 'computed';
  readonly slot: number;
  readonly session: SessionId;
  readonly attempt: number;
  readonly first: number;
  readonly rows: number;
  readonly output?: P;
  readonly tokens?: readonly number[];
  readonly extra?: P;
}

export interface RunEffect<P> {
  readonly kind: 'run';
  readonly stage: StageKey;
  readonly slot: number;
  readonly session: SessionId;
  readonly attempt: number;
  readonly first: number;
  readonly rows: number;
  /** Of the first stage. */
  readonly tokens?: readonly number[];
  /** Of every other. */
  readonly input?: P;
  /** A token is wanted after the last row; only a last stage can. */
  readonly sample: boolean;
}

/** One calm line for the person whose session it is. */
export type Status =
  | { readonly kind: 'suspected'; readonly device: DeviceId }
  | { readonly kind: 'waiting'; readonly reason: 'loading' | 'linking' | 'busy' | 'storing' | 'reading' }
  /** `devices` have layers since that others had when the last token came; `gone` of those others went away. */
  | { readonly kind: 'moved'; readonly gone: readonly DeviceId[]; readonly devices: readonly DeviceId[] }
  /** Nobody who can be reached has room; 0 bytes: there is room, the devices that have it do not reach one another. */
  | { readonly kind: 'paused'; readonly missingBytes: number }
  | { readonly kind: 'resumed' };

/** What the host does for a device, in this order. */
export type Effect<P> =
  | { readonly kind: 'send'; readonly peer: DeviceId; readonly message: ControlMessage }
  | { readonly kind: 'frame'; readonly peer: DeviceId; readonly frame: Frame<P> }
  /** Frames of the session for that slot of the peer, of this attempt or before it, that have not gone are not to go. */
  | {
      readonly kind: 'withdraw';
      readonly peer: DeviceId;
      readonly session: SessionId;
      readonly slot: number;
      readonly attempt: number;
    }
  /** Ends in `link-open` or `connect-failed`. Where both ask at once, one link comes about. */
  | { readonly kind: 'connect'; readonly peer: DeviceId; readonly address: string | undefined }
  /** No `link-closed` follows. */
  | { readonly kind: 'disconnect'; readonly peer: DeviceId }
  /** Ends in `stage-ready` or `stage-failed`, unless `unload` comes before. */
  | { readonly kind: 'load'; readonly stage: StageKey }
  | { readonly kind: 'unload'; readonly stage: StageKey }
  /**
   * From here on the slot is this session's: keys and values at `keep` and behind are void. Runs of before that are under
   * way may still write there, before the next run does. `sampling`: on a last stage, what its sampler needs.
   */
  | {
      readonly kind: 'begin';
      readonly stage: StageKey;
      readonly slot: number;
      readonly session: SessionId;
      readonly attempt: number;
      readonly keep: number;
      readonly sampling?: { readonly sampler: Sampler; readonly tokens: readonly number[] };
    }
  /** Ends in `computed`; runs of a slot in the order given. */
  | RunEffect<P>
  /** Runs of this slot that wait are not wanted any more; what they wrote up to now stays. */
  | { readonly kind: 'halt'; readonly slot: number }
  /** The slot's session has lost it. */
  | { readonly kind: 'free'; readonly slot: number }
  /** Tokens from `from` on replace those on the disk; in order. Ends in `stored`. */
  | {
      readonly kind: 'store';
      readonly ticket: number;
      readonly head: SessionHead;
      readonly from: number;
      readonly tokens: readonly number[];
    }
  | { readonly kind: 'erase'; readonly session: SessionId }
  // for the person
  | {
      readonly kind: 'tokens';
      readonly session: SessionId;
      readonly first: number;
      readonly tokens: readonly number[];
      readonly extra?: P;
    }
  | { readonly kind: 'prefill'; readonly session: SessionId; readonly done: number; readonly total: number }
  /** All of it is on the disk, but for what was `stopped`. `failed`: its stages gave it up again and again. */
  | {
      readonly kind: 'answered';
      readonly session: SessionId;
      readonly finish: 'stop-token' | 'length' | 'stopped' | 'failed';
    }
  | { readonly kind: 'status'; readonly session: SessionId; readonly status: Status };
