import { bytesOf, isOther, type Link, type Links } from '../../mesh/link/index.ts';
import type { Effect, Input, RoomOptions, StoredSession } from '../../mesh/room/io.ts';
import { RoomNode } from '../../mesh/room/node.ts';
import type { DeviceId } from '../../mesh/types.ts';
import type { Frame as WireFrame } from '../../mesh/wire/frame.ts';
import { fromWire, toWire } from './frames.ts';
import type { WireMessage } from './room-schemas.ts';
import type { RoomStages } from './room-stages.ts';
import type { Rows } from './rows.ts';
import type { SessionStore } from './session-store.ts';

/**
 * So much never waits behind a full link: slots have only so much on its way. A link where it does all the same carries
 * nothing, whatever it says, and ends.
 */
const MAX_BACKLOG_BYTES = 128 * 1024 * 1024;

/** Frames for which a link has no room yet, in order. */
interface Backlog {
  readonly frames: WireFrame[];
  bytes: number;
}

/** What comes of a session that this device drives. */
export type SessionEvent = Extract<Effect<Rows>, { kind: 'tokens' | 'prefill' | 'answered' | 'status' }>;

export interface RoomHostOptions {
  readonly room: RoomOptions<Rows>;
  readonly links: Pick<Links<WireMessage>, 'to' | 'call' | 'disconnect'>;
  readonly stages: RoomStages;
  readonly store: SessionStore;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly onSession: (event: SessionEvent) => void;
  /** Something that the room wanted could not be done. */
  readonly onTrouble: (error: unknown) => void;
}

/** Drives the room's state machine with what really happens, and carries out what it wants. */
export class RoomHost {
  readonly node: RoomNode<Rows>;
  readonly #options: RoomHostOptions;
  readonly #inputs: Input<Rows>[] = [];
  #busy = false;
  /** Who was called where, while nobody answered yet. */
  readonly #called = new Map<string, DeviceId>();
  readonly #backlogs = new WeakMap<Link<WireMessage>, Backlog>();
  #closed = false;

  constructor(options: RoomHostOptions) {
    this.#options = options;
    this.node = new RoomNode(options.room);
  }

  restore(sessions: readonly StoredSession[]): void {
    this.feed({ kind: 'restore', sessions });
  }

  /** Takes what happened. Its effects are done when this returns, unless it is called from within one: then soon after. */
  feed(input: Input<Rows>): void {
    if (this.#closed) return;
    if (input.kind === 'tick') this.#noteMoving();
    this.#inputs.push(input);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (;;) {
        const next = this.#inputs.shift();
        if (next === undefined) break;
        for (const effect of this.node.handle(next, this.#options.now())) this.#try(effect);
      }
    } finally {
      this.#busy = false;
    }
  }

  /** A frame that a member's link brought. */
  frame(peer: DeviceId, frame: WireFrame): void {
    const read = fromWire(frame);
    if (read !== undefined) this.feed({ kind: 'frame', peer, frame: read });
  }

  linked(peer: DeviceId): void {
    for (const [address, called] of this.#called) if (called === peer) this.#called.delete(address);
    this.feed({ kind: 'link-open', peer });
  }

  /** Nobody answered there, or no proof came about. */
  unreachable(address: string): void {
    const peer = this.#called.get(address);
    this.#called.delete(address);
    if (peer !== undefined) this.feed({ kind: 'link-closed', peer });
  }

  close(): void {
    this.#closed = true;
  }

  /** One that fails takes none of the others with it: a write that is not made would be waited for. */
  #try(effect: Effect<Rows>): void {
    try {
      this.#carryOut(effect);
    } catch (error) {
      this.#options.onTrouble(error);
    }
  }

  #carryOut(effect: Effect<Rows>): void {
    const { links, stages, store, onSession } = this.#options;
    switch (effect.kind) {
      case 'send':
        links.to(effect.peer)?.sendControl(effect.message);
        return;
      case 'frame':
        this.#sendFrame(effect.peer, toWire(effect.frame));
        return;
      case 'withdraw':
        this.#withdraw(effect);
        return;
      case 'connect':
        this.#connect(effect.peer, effect.address);
        return;
      case 'disconnect':
        links.disconnect(effect.peer);
        return;
      case 'load':
        stages.load(effect.stage);
        return;
      case 'unload':
        stages.unload(effect.stage);
        return;
      case 'begin':
        stages.begin(effect);
        return;
      case 'run':
        stages.run(effect);
        return;
      case 'halt':
        stages.halt(effect.slot);
        return;
      case 'free':
        stages.free(effect.slot);
        return;
      case 'store':
        store.store(effect);
        return;
      case 'erase':
        void store.erase(effect.session);
        return;
      case 'tokens':
      case 'prefill':
      case 'answered':
      case 'status':
        onSession(effect);
        return;
      default:
        effect satisfies never;
    }
  }

  #connect(peer: DeviceId, address: string | undefined): void {
    if (address === undefined) {
      this.feed({ kind: 'link-closed', peer });
      return;
    }
    this.#called.set(address, peer);
    this.#options.links.call([address], 'by members');
  }

  /** Where a link has too much to send already, frames wait here, in order. */
  #sendFrame(peer: DeviceId, frame: WireFrame): void {
    const link = this.#options.links.to(peer);
    if (link === undefined) return;
    const backlog = this.#backlogs.get(link);
    if (backlog === undefined) {
      if (!link.sendFrame(frame) && !link.closed) void this.#drain(link, { frames: [frame], bytes: bytesOf(frame) });
      return;
    }
    backlog.frames.push(frame);
    backlog.bytes += bytesOf(frame);
    if (backlog.bytes > MAX_BACKLOG_BYTES) link.close('stalled');
  }

  async #drain(link: Link<WireMessage>, backlog: Backlog): Promise<void> {
    this.#backlogs.set(link, backlog);
    while (!link.closed) {
      const [frame] = backlog.frames;
      if (frame === undefined) break;
      if (link.sendFrame(frame)) {
        backlog.frames.shift();
        backlog.bytes -= bytesOf(frame);
      } else await link.drained();
    }
    this.#backlogs.delete(link);
  }

  #withdraw({ peer, session, slot, attempt }: Extract<Effect<Rows>, { kind: 'withdraw' }>): void {
    const link = this.#options.links.to(peer);
    if (link === undefined) return;
    link.withdraw(session, slot, attempt);
    const backlog = this.#backlogs.get(link);
    if (backlog === undefined) return;
    const kept = backlog.frames.filter((frame) => isOther(frame, session, slot, attempt));
    backlog.frames.splice(0, backlog.frames.length, ...kept);
    backlog.bytes = kept.reduce((bytes, frame) => bytes + bytesOf(frame), 0);
  }

  /** Sessions whose frames wait for a link that carries what is before them. */
  #noteMoving(): void {
    for (const peer of [...this.node.links.up()]) {
      const link = this.#options.links.to(peer);
      const moving = link?.moving() ?? [];
      if (link === undefined || moving.length === 0) continue;
      const behind = this.#backlogs.get(link)?.frames.map(({ session }) => session) ?? [];
      this.#inputs.push({ kind: 'moving', peer, sessions: [...new Set([...moving, ...behind])] });
    }
  }
}
