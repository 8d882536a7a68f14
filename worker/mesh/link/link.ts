import type { Side } from '../identity/proof-messages.ts';
import type { DeviceId, SessionId } from '../types.ts';
import { FrameAssembler, type FrameDrop } from '../wire/assemble.ts';
import type { ControlCodec, ControlDrop } from '../wire/control.ts';
import { type Frame, SLICE_BYTES } from '../wire/frame.ts';
import { Beats } from './beats.ts';
import type { LinkChannels } from './channel.ts';
import { type Early, READY } from './handshake.ts';
import { FrameOutbox } from './outbox.ts';
import type { Proved } from './prover.ts';
import type { ConnectionNumber } from './window-messages.ts';

/** Control messages are few: so much unsent means that nothing goes through. */
const MAX_CONTROL_BUFFERED_BYTES = 4 * 1024 * 1024;

/** What its owner does with what arrives. Called in the order of arrival, never after `closed`. */
export interface LinkHandlers<Message> {
  control(message: Message): void;
  /** A control message of this kind came whose fields are not as they should be. */
  misread?(kind: string): void;
  /** The payload is the receiver's own. Beats do not come here. */
  frame(frame: Frame): void;
  /** Anything came, a slice of a long frame or a beat: the peer lives. Before the other two. */
  heard?(): void;
  closed(reason: CloseReason): void;
}

/**
 * `ours`: closed here; `theirs`: closed there or its connection ended; `replaced`: another link to the same device holds;
 * `stalled`: 4 MiB of control messages did not go out.
 */
export type CloseReason = 'ours' | 'theirs' | 'replaced' | 'stalled';

export interface LinkStatistics {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly sentFrames: number;
  readonly receivedFrames: number;
  readonly sentControl: number;
  readonly receivedControl: number;
  /** Round trip, smoothed; undefined until beats told it. */
  readonly rttMs: number | undefined;
  /** Messages that were dropped, by reason. */
  readonly drops: Readonly<Partial<Record<FrameDrop | ControlDrop, number>>>;
}

export interface LinkContext<Message> {
  readonly connection: ConnectionNumber;
  readonly side: Side;
  readonly address: string;
  readonly ownAddress: string;
  readonly proved: Proved;
  readonly codec: ControlCodec<Message>;
  now(): number;
  /** Once, whatever closed it. */
  closed(reason: CloseReason): void;
}

/** Two proved devices that talk. */
export class Link<Message> {
  readonly connection: ConnectionNumber;
  readonly side: Side;
  /** Where signaling reached the peer, and this device, when they connected. */
  readonly address: string;
  readonly ownAddress: string;
  readonly proved: Proved;
  readonly #channels: LinkChannels;
  readonly #context: LinkContext<Message>;
  readonly #assembler = new FrameAssembler();
  readonly #outbox: FrameOutbox;
  readonly #beats = new Beats();
  readonly #controlDrops = new Map<ControlDrop, number>();
  #handlers: LinkHandlers<Message> | undefined;
  #closed = false;
  #lastSentMs: number;
  #lastHeardMs: number;
  #sentBytes = 0;
  #receivedBytes = 0;
  #sentFrames = 0;
  #receivedFrames = 0;
  #sentControl = 0;
  #receivedControl = 0;

  constructor(channels: LinkChannels, context: LinkContext<Message>) {
    this.connection = context.connection;
    this.side = context.side;
    this.address = context.address;
    this.ownAddress = context.ownAddress;
    this.proved = context.proved;
    this.#channels = channels;
    this.#context = context;
    this.#lastSentMs = this.#lastHeardMs = context.now();
    this.#outbox = new FrameOutbox(channels.data, (bytes) => this.#sent(bytes));
  }

  get device(): DeviceId {
    return this.proved.peer.device;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** When anything last arrived, on the clock that it was given. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** Frames that were given to `sendFrame` and have not gone to the channel, bytes. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  get statistics(): LinkStatistics {
    return {
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
      sentFrames: this.#sentFrames,
      receivedFrames: this.#receivedFrames,
      sentControl: this.#sentControl,
      receivedControl: this.#receivedControl,
      rttMs: this.#beats.rttMs,
      drops: Object.fromEntries([...this.#assembler.drops, ...this.#controlDrops]),
    };
  }

  /** Takes the channels over. `early` is what came before. */
  open(handlers: LinkHandlers<Message>, early: Early): void {
    this.#handlers = handlers;
    const { control, data } = this.#channels;
    for (const message of early.control) this.#receiveControl(message);
    for (const message of early.data) this.#receiveData(message);
    if (this.#closed) return;
    control.onmessage = (event) => this.#receiveControl(event.data);
    data.onmessage = (event) => this.#receiveData(event.data);
    control.onclose = data.onclose = () => this.close('theirs');
    if (control.readyState !== 'open' || data.readyState !== 'open') this.close('theirs');
  }

  /** False where the link is closed. Throws for a message of more than 64 KiB. */
  sendControl(message: Message): boolean {
    const text = this.#context.codec.encode(message, this.proved.version);
    const { control } = this.#channels;
    if (this.#closed) return false;
    if (control.bufferedAmount > MAX_CONTROL_BUFFERED_BYTES) {
      this.close('stalled');
      return false;
    }
    try {
      control.send(text);
    } catch {
      this.close('theirs');
      return false;
    }
    this.#sentControl++;
    this.#sent(text.length);
    return true;
  }

  /**
   * False where the link is closed or 16 MiB wait already: the frame was not taken, and `drained` tells when to try
   * again. The payload must not change afterwards. Throws for a frame that breaks the format.
   */
  sendFrame(frame: Frame): boolean {
    if (this.#closed || !this.#outbox.push(frame)) return false;
    this.#sentFrames++;
    return true;
  }

  /** Frames of a session for a slot of the peer, of that attempt or an older one, need not go any more. */
  withdraw(session: SessionId, slot: number, attempt: number): void {
    this.#outbox.withdraw(session, slot, attempt);
  }

  /** Sessions whose frames wait to be sent, where some of what waits has gone since this was last asked. */
  moving(): SessionId[] {
    return this.#outbox.moving();
  }

  /** Resolves when a quarter of the queue or less waits, or the link is closed. */
  drained(): Promise<void> {
    return this.#outbox.drained();
  }

  /** Beats where nothing else went out, and now and then in any case. */
  tick(nowMs: number, tickMs: number): void {
    if (this.#closed) return;
    // one bufferedamountlow that never comes would hold all for good
    this.#outbox.pump();
    // where anything waits to go a beat comes no sooner than that
    const idleMs = this.#outbox.queuedBytes > 0 ? 0 : nowMs - this.#lastSentMs;
    if (this.#beats.due(nowMs, idleMs, tickMs)) this.sendFrame(this.#beats.next(nowMs));
  }

  close(reason: CloseReason = 'ours'): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox.close();
    for (const channel of [this.#channels.control, this.#channels.data]) {
      channel.onmessage = channel.onclose = channel.onbufferedamountlow = null;
      channel.close();
    }
    this.#context.closed(reason);
    this.#handlers?.closed(reason);
  }

  #sent(bytes: number): void {
    this.#sentBytes += bytes;
    this.#lastSentMs = this.#context.now();
  }

  #receiveControl(data: unknown): void {
    if (this.#closed) return;
    this.#heard(typeof data === 'string' ? data.length : SLICE_BYTES);
    const read = this.#context.codec.decode(data);
    if ('dropped' in read) {
      this.#controlDrops.set(read.dropped, (this.#controlDrops.get(read.dropped) ?? 0) + 1);
      if (read.kind !== undefined) this.#handlers?.misread?.(read.kind);
      return;
    }
    this.#receivedControl++;
    this.#handlers?.control(read.message);
  }

  #receiveData(data: unknown): void {
    // the second one may be slower than the proof, which goes by the other channel
    if (this.#closed || data === READY) return;
    this.#heard(data instanceof ArrayBuffer ? data.byteLength : SLICE_BYTES);
    const frame = this.#assembler.receive(data);
    if (!frame) return;
    this.#receivedFrames++;
    if (frame.kind === 'beat') this.#beats.heard(frame, this.#lastHeardMs);
    else this.#handlers?.frame(frame);
  }

  #heard(bytes: number): void {
    this.#receivedBytes += bytes;
    this.#lastHeardMs = this.#context.now();
    this.#handlers?.heard?.();
  }
}
