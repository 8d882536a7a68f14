import type { SessionId } from '../types.ts';
import { FrameCutter, fitsOneSlice } from '../wire/cut.ts';
import { checkFrame, type Frame, HEADER_BYTES, SLICE_BYTES } from '../wire/frame.ts';
import type { LinkChannel } from './channel.ts';

/**
 * What stands in the channel cannot be overtaken. And what is put there at once leaves at once: Chromium drops packets
 * where more than 64 KiB wait for its network process, and after such a loss SCTP resends one packet in 3 s. On busy cores
 * 3 of 8 links stood still for 20 s and more with 64 KiB here, none with 16; both carry 11 MB/s each way.
 */
const CHANNEL_FULL_BYTES = 16 * 1024;
const CHANNEL_LOW_BYTES = 4 * 1024;
/** What may wait here. */
export const MAX_QUEUED_BYTES = 16 * 1024 * 1024;
/** Two rows of the widest models. */
const FEW_ROWS_BYTES = 32 * 1024 + HEADER_BYTES;
const DRAINED_BYTES = MAX_QUEUED_BYTES / 4;

/**
 * Frames that wait for the data channel. Short ones go before and between the slices of long ones, except tokens after a
 * long one of their own session; of long ones those of a few rows go first. Its bounds are the caller's backpressure.
 */
export class FrameOutbox {
  readonly #channel: LinkChannel;
  readonly #onSent: (bytes: number) => void;
  readonly #scratch = new Uint8Array(SLICE_BYTES);
  readonly #short: Frame[] = [];
  readonly #long: Frame[] = [];
  /** How many frames of a session wait among the long ones. */
  readonly #longOfSession = new Map<SessionId, number>();
  #cutting: FrameCutter | undefined;
  #sequence = 0;
  #queuedBytes = 0;
  /** A slice of a long frame went since it was last asked. */
  #moves = false;
  #drained: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #closed = false;

  constructor(channel: LinkChannel, onSent: (bytes: number) => void) {
    this.#channel = channel;
    this.#onSent = onSent;
    channel.bufferedAmountLowThreshold = CHANNEL_LOW_BYTES;
    channel.onbufferedamountlow = () => this.pump();
  }

  /** Headers and payloads that wait here, not those in the channel. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Sends or queues; false if it is full or closed, and then the frame is not taken. The payload must not change. */
  push(frame: Frame): boolean {
    checkFrame(frame);
    const bytes = bytesOf(frame);
    if (this.#closed || this.#queuedBytes + bytes > MAX_QUEUED_BYTES) return false;
    this.#queuedBytes += bytes;
    const waiting = this.#longOfSession.get(frame.session) ?? 0;
    if (fitsOneSlice(frame) && (waiting === 0 || mayOvertake(frame))) {
      this.#short.push(frame);
    } else {
      this.#long.push(frame);
      this.#longOfSession.set(frame.session, waiting + 1);
    }
    this.pump();
    return true;
  }

  /**
   * Frames of a session for a slot of the peer, of that attempt or an older one, are not wanted any more. The one of which
   * slices went already goes on, so that no sequence number is missing.
   */
  withdraw(session: SessionId, slot: number, attempt: number): void {
    this.#keep(this.#short, (frame) => isOther(frame, session, slot, attempt));
    const before = this.#long.length;
    this.#keep(this.#long, (frame) => isOther(frame, session, slot, attempt));
    this.#countDown(session, before - this.#long.length);
    if (this.#queuedBytes <= DRAINED_BYTES) this.#resolveDrained();
  }

  /** Sessions whose frames wait here, where some of what waits has gone since this was last asked. */
  moving(): SessionId[] {
    const sessions = this.#moves ? [...this.#longOfSession.keys()] : [];
    this.#moves = false;
    return sessions;
  }

  /** Resolves when there is room again, or none will be. */
  drained(): Promise<void> {
    if (this.#closed || this.#queuedBytes <= DRAINED_BYTES) return Promise.resolve();
    this.#drained ??= deferred();
    return this.#drained.promise;
  }

  /** Gives the channel what it takes now. Called again whenever it may take more; one call too many costs nothing. */
  pump(): void {
    const channel = this.#channel;
    while (!this.#closed && channel.readyState === 'open' && channel.bufferedAmount < CHANNEL_FULL_BYTES) {
      const cutter = this.#next();
      if (!cutter) break;
      const slice = cutter.next(this.#scratch);
      if (cutter === this.#cutting) this.#moves = true;
      if (cutter.done) this.#finish(cutter);
      try {
        channel.send(slice);
      } catch {
        // it closed under our hands; its close event ends the link
        this.close();
        return;
      }
      this.#onSent(slice.byteLength);
    }
    if (this.#queuedBytes <= DRAINED_BYTES) this.#resolveDrained();
  }

  close(): void {
    this.#closed = true;
    this.#short.length = 0;
    this.#long.length = 0;
    this.#longOfSession.clear();
    this.#cutting = undefined;
    this.#queuedBytes = 0;
    this.#resolveDrained();
  }

  #next(): FrameCutter | undefined {
    const short = this.#short.shift();
    if (short) return this.#cutter(short);
    if (!this.#cutting) {
      const [long] = this.#long.splice(nextLong(this.#long, bytesOf), 1);
      if (long) this.#cutting = this.#cutter(long);
    }
    return this.#cutting;
  }

  #cutter(frame: Frame): FrameCutter {
    const cutter = new FrameCutter(frame, this.#sequence);
    this.#sequence = (this.#sequence + 1) >>> 0;
    return cutter;
  }

  #finish(cutter: FrameCutter): void {
    this.#queuedBytes -= bytesOf(cutter.frame);
    if (cutter !== this.#cutting) return;
    this.#cutting = undefined;
    this.#countDown(cutter.frame.session, 1);
  }

  #keep(frames: Frame[], isWanted: (frame: Frame) => boolean): void {
    const kept = frames.filter(isWanted);
    if (kept.length === frames.length) return;
    for (const frame of frames) if (!isWanted(frame)) this.#queuedBytes -= bytesOf(frame);
    frames.splice(0, frames.length, ...kept);
  }

  #countDown(session: SessionId, gone: number): void {
    const left = (this.#longOfSession.get(session) ?? 0) - gone;
    if (left <= 0) this.#longOfSession.delete(session);
    else this.#longOfSession.set(session, left);
  }

  #resolveDrained(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}

/**
 * Which of the long frames goes next: a row or two of a session that speaks go before the chunks of other sessions' prompts,
 * and never before what waits of their own.
 */
export function nextLong<F extends { readonly session: SessionId }>(
  frames: readonly F[],
  bytesOfFrame: (frame: F) => number,
): number {
  const passed = new Set<SessionId>();
  for (const [at, frame] of frames.entries()) {
    if (!passed.has(frame.session) && bytesOfFrame(frame) <= FEW_ROWS_BYTES) return at;
    passed.add(frame.session);
  }
  return 0;
}

/** How far somebody came says nothing of what goes before or after it, and whoever waits shall hear it in time. */
function mayOvertake({ kind }: Frame): boolean {
  return kind === 'progress' || kind === 'acknowledgement';
}

/** Whether a frame is none of those of a session for a slot, up to an attempt. */
export function isOther(frame: Frame, session: SessionId, slot: number, attempt: number): boolean {
  return frame.session !== session || frame.slot !== slot || frame.attempt > attempt;
}

export function bytesOf(frame: Frame): number {
  return HEADER_BYTES + frame.payload.byteLength;
}

function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
