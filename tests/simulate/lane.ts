import { nextLong } from '../../worker/mesh/link/outbox.ts';
import type { Frame } from '../../worker/mesh/room/messages.ts';
import { HEADER_BYTES, SLICE_BYTES } from '../../worker/mesh/wire/frame.ts';

const ID_BYTES = 4;

interface Waiting<A> {
  readonly arriving: A;
  readonly frame: Frame<number[]>;
  readonly session: string;
  readonly bytes: number;
}

/** One direction of a link, as its outbox and its rate make it: short frames go at once, long ones one after the other. */
export class Lane<A> {
  readonly #bytesAMs: number;
  readonly #rowBytes: number;
  /** The first is on its way out. */
  readonly #queue: Waiting<A>[] = [];

  /** Rises when all that waits is lost. */
  round = 0;

  constructor(mbitASecond: number, rowBytes: number) {
    this.#bytesAMs = mbitASecond * 125;
    this.#rowBytes = rowBytes;
  }

  /** Whether the frame goes at once; else it waits here. */
  takes(frame: Frame<number[]>, arriving: A): 'at-once' | 'waits' | 'first' {
    const bytes = HEADER_BYTES + this.#payloadBytes(frame);
    const isBehind = frame.kind === 'tokens' && this.#queue.some(({ frame: { session } }) => session === frame.session);
    if (bytes <= SLICE_BYTES && !isBehind) return 'at-once';
    this.#queue.push({ arriving, frame, session: frame.session, bytes });
    return this.#queue.length === 1 ? 'first' : 'waits';
  }

  /** How long the first takes to go; undefined: nothing waits. */
  get leavesInMs(): number | undefined {
    const first = this.#queue[0];
    return first && first.bytes / this.#bytesAMs;
  }

  /** The first has gone. */
  shift(): A | undefined {
    const gone = this.#queue.shift()?.arriving;
    const [next] = this.#queue.splice(
      nextLong(this.#queue, ({ bytes }) => bytes),
      1,
    );
    if (next !== undefined) this.#queue.unshift(next);
    return gone;
  }

  clear(): void {
    this.round++;
    this.#queue.length = 0;
  }

  /** Frames of a session for a slot, up to an attempt; but for the one that goes. */
  withdraw(session: string, slot: number, attempt: number): void {
    const kept = this.#queue.filter(
      ({ frame }, i) => i === 0 || frame.session !== session || frame.slot !== slot || frame.attempt > attempt,
    );
    this.#queue.splice(0, this.#queue.length, ...kept);
  }

  sessions(): string[] {
    return [...new Set(this.#queue.map(({ frame }) => frame.session))];
  }

  get bytes(): number {
    return this.#queue.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #payloadBytes(frame: Frame<number[]>): number {
    if (frame.kind === 'rows') return frame.rows * this.#rowBytes;
    return frame.kind === 'tokens' ? frame.tokens.length * ID_BYTES : 0;
  }
}
