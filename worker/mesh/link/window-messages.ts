import type { Side } from '../identity/proof-messages.ts';
import type { RefusalReason } from '../identity/prover.ts';
import type { DeviceId } from '../types.ts';

/**
 * What the window and the worker say to one another about connections, each as `{ room: message }` so that it is told
 * from calls. They go by `worker.postMessage` itself: a data channel is transferred in the task that made it, or never.
 */

/** A number that the window gives each connection. */
export type ConnectionNumber = number;

export type ToWorker =
  | {
      readonly kind: 'connection';
      readonly connection: ConnectionNumber;
      readonly side: Side;
      /** Where signaling reached the other side, and this one. */
      readonly address: string;
      readonly ownAddress: string;
      /** Ports where the browser cannot transfer channels. */
      readonly control: RTCDataChannel | MessagePort;
      readonly data: RTCDataChannel | MessagePort;
    }
  | {
      readonly kind: 'described';
      readonly connection: ConnectionNumber;
      /** The two session descriptions that the connection was made with, as SDP. */
      readonly ownDescription: string;
      readonly description: string;
      /** The least that both sides take in one message, bytes. */
      readonly maxMessageBytes: number;
    }
  | { readonly kind: 'ended'; readonly connection: ConnectionNumber }
  /** What was called did not connect. */
  | { readonly kind: 'unreachable'; readonly address: string; readonly stage: 'signaling' | 'candidates' }
  /** Where signaling reaches this device now. */
  | { readonly kind: 'address'; readonly address: string }
  /** Who is listed in the directory and not connected. */
  | { readonly kind: 'listed'; readonly addresses: readonly string[] }
  | { readonly kind: 'visibility'; readonly hidden: boolean }
  /** The page keeps the screen on, or does not any more. */
  | { readonly kind: 'wake-lock'; readonly held: boolean }
  /** The page is going: what is to be said is said now. */
  | { readonly kind: 'leaving' }
  /** The page that went was kept, and is here again. */
  | { readonly kind: 'returned' };

export type ToWindow =
  /** Handlers are in place: the description may be sent. */
  | { readonly kind: 'taken'; readonly connection: ConnectionNumber }
  | { readonly kind: 'proved'; readonly connection: ConnectionNumber; readonly device: DeviceId }
  /** The connection is to be closed; `failure` where it had not been proved. */
  | { readonly kind: 'close'; readonly connection: ConnectionNumber; readonly failure?: ProofFailure }
  /** `ofMembers`: records of members name these. */
  | { readonly kind: 'call'; readonly addresses: readonly string[]; readonly ofMembers?: true }
  /** The device slept: addresses may have changed. */
  | { readonly kind: 'restart' };

/** Why a connection never became a link: what the proof says, or what came of it without one. */
export interface ProofFailure {
  /** `busy`: it gave way, as 8 others were unproved; `closed`: it went away; `malformed`: what came was no proof. */
  readonly reason: RefusalReason | 'busy' | 'closed' | 'malformed';
  readonly by: 'us' | 'peer';
  /** With `version`: which side needs the newer app. */
  readonly behind?: 'us' | 'peer';
}

/** What goes over the port that stands for a channel which the browser cannot transfer. */
export type FromPort =
  | { readonly kind: 'open' }
  | { readonly kind: 'message'; readonly data: unknown }
  /** So many bytes went from the port to the channel. */
  | { readonly kind: 'sent'; readonly bytes: number }
  | { readonly kind: 'close' };
export type ToPort = { readonly kind: 'send'; readonly data: string | Uint8Array } | { readonly kind: 'close' };
