import type { DeviceId, SessionId } from '../types.ts';
import { IDLE_MS } from './constants.ts';
import type { ComputedInput, ModelSizes, Payloads } from './io.ts';
import type { Frame, PrepareMessage, RefusedMessage, StageKey, StartMessage } from './messages.ts';
import { isSameStage } from './placement-order.ts';
import type { Post } from './post.ts';
import { RetentionPool } from './retention-pool.ts';
import { Slot } from './slot.ts';

/** The sessions in the stages of this device: who has a slot, who may take one, and which frame is for whom. */
export class StageHost<P> {
  /** Frames for slots that are nobody's. */
  dropped = 0;
  /** What the slots keep of rows that they gave. */
  readonly retained: RetentionPool;
  readonly #post: Post<P>;
  readonly #payloads: Payloads<P>;
  readonly #models: ModelSizes;
  readonly #isReady: (stage: StageKey) => boolean;
  /** Sessions that lost their slot to others, and what ran in the stage then. */
  readonly #crowdedOut = new Map<string, { readonly stage: StageKey; readonly by: readonly Running<P>[] }>();
  /** By index; an index is unique among all stages of the device. */
  readonly #slots: (Slot<P> | undefined)[] = [];

  constructor(
    post: Post<P>,
    payloads: Payloads<P>,
    models: ModelSizes,
    isReady: (stage: StageKey) => boolean,
    retainedBytes?: number,
  ) {
    this.retained = new RetentionPool(retainedBytes);
    this.#post = post;
    this.#payloads = payloads;
    this.#models = models;
    this.#isReady = isReady;
  }

  prepare(from: DeviceId, message: PrepareMessage): void {
    const assignment = message.placement.stages[message.stage];
    const stage = assignment?.device === this.#post.device && { ...assignment, model: message.placement.id.model };
    const layers = stage && this.#models.layers(stage.model);
    const isWhole = layers === undefined || message.placement.stages.at(-1)?.last === layers;
    if (!stage || !isWhole || !this.#isReady(stage)) {
      this.#refuse(from, message, 'no-stage');
      return;
    }
    // all slots of a session are in one attempt; of two drivers that name theirs alike neither is in the other's way
    for (const slot of this.#slots) {
      if (slot?.session !== message.session || slot.driver !== from) continue;
      const isHere = isSameStage(slot.stage, stage);
      if (isHere ? message.attempt <= slot.attempt : message.attempt < slot.attempt) {
        this.#refuse(from, message, 'stale', slot.attempt);
        return;
      }
      if (!isHere && slot.attempt < message.attempt) slot.halt();
    }
    if (this.#isCrowdedOut(nameOf(from, message.session), stage)) {
      this.#refuse(from, message, 'busy');
      return;
    }
    const { model, first, last } = stage;
    const slot = this.#find(from, message.session, stage) ?? this.#open(message.session, { model, first, last }, from);
    if (slot === undefined) this.#refuse(from, message, 'busy');
    else slot.prepare(message);
  }

  start(from: DeviceId, message: StartMessage): void {
    for (const slot of this.#slots) {
      if (slot === undefined || slot.session !== message.session || slot.driver !== from) continue;
      if (slot.index === message.slot) slot.start(message);
    }
  }

  /** Ends the attempts up to `attempt`. */
  stop(from: DeviceId, session: SessionId, attempt: number): void {
    for (const slot of this.#slots) {
      if (slot?.session === session && slot.driver === from && slot.attempt <= attempt) slot.halt();
    }
  }

  forget(from: DeviceId, session: SessionId): void {
    this.#crowdedOut.delete(nameOf(from, session));
    for (const slot of this.#slots) if (slot?.session === session && slot.driver === from) this.#free(slot);
  }

  frame(from: DeviceId, frame: Frame<P>): void {
    const slot = this.#slots[frame.slot];
    if (slot === undefined) this.dropped++;
    else slot.frame(from, frame);
  }

  computed(input: ComputedInput<P>): void {
    const slot = this.#slots[input.slot];
    if (slot?.session !== input.session) return;
    for (const other of this.#slots)
      if (other !== undefined && isSameStage(other.stage, slot.stage)) other.engineWorks();
    slot.computed(input);
  }

  /** What waits to go to a peer goes, some of it of these sessions: it takes long, and nothing is wrong. */
  moving(peer: DeviceId, sessions: readonly SessionId[]): void {
    for (const slot of this.#slots) if (slot !== undefined && sessions.includes(slot.session)) slot.rowsGo(peer);
  }

  /** Long runs are told of, attempts from whose driver nothing comes any more are idle, and idle ones keep no rows. */
  tick(): void {
    for (const slot of this.#slots) {
      if (slot === undefined) continue;
      slot.tick();
      if (slot.phase !== 'idle' && this.mayTake(slot)) slot.halt();
      if (slot.phase === 'idle' && this.#post.nowMs - slot.usedMs >= IDLE_MS) slot.dropRetained();
    }
  }

  /** A link is gone, and frames with it. */
  unlinked(peer: DeviceId): void {
    for (const slot of this.#slots) if (slot?.dependsOn(peer)) slot.break();
  }

  slotLost(index: number, session: SessionId): void {
    const slot = this.#slots[index];
    if (slot?.session !== session) return;
    const wasRunning = !this.mayTake(slot);
    slot.break();
    slot.dropRetained();
    this.#slots[index] = undefined;
    if (!wasRunning) return;
    const by: Running<P>[] = [];
    for (const other of this.#slots) {
      if (other === undefined || !isSameStage(other.stage, slot.stage) || this.mayTake(other)) continue;
      by.push({ slot: other, attempt: other.attempt });
    }
    if (by.length > 0) this.#crowdedOut.set(nameOf(slot.driver, session), { stage: slot.stage, by });
  }

  /** True while all run on for which the session lost its slot: it would lose it again. */
  #isCrowdedOut(session: string, stage: StageKey): boolean {
    const crowd = this.#crowdedOut.get(session);
    if (crowd === undefined || !isSameStage(crowd.stage, stage)) return false;
    const isOn = ({ slot, attempt }: Running<P>) =>
      this.#slots[slot.index] === slot && slot.attempt === attempt && !this.mayTake(slot);
    if (crowd.by.every(isOn)) return true;
    this.#crowdedOut.delete(session);
    return false;
  }

  /** The stage is gone with its keys and values. */
  stageLost(stage: StageKey): void {
    this.#slots.forEach((slot, index) => {
      if (slot === undefined || !isSameStage(slot.stage, stage)) return;
      slot.break();
      slot.dropRetained();
      this.#slots[index] = undefined;
    });
  }

  /** Whether an attempt needs the stage now. */
  isUsed(stage: StageKey): boolean {
    return this.#slots.some((slot) => slot !== undefined && isSameStage(slot.stage, stage) && !this.mayTake(slot));
  }

  /** Whether the session of this driver runs in a stage here. */
  runs(driver: DeviceId, session: SessionId): boolean {
    return this.#slots.some((slot) => slot?.session === session && slot.driver === driver && !this.mayTake(slot));
  }

  /** Whether another session may have the slot. */
  mayTake(slot: Slot<P>): boolean {
    return slot.phase === 'idle' || this.#post.nowMs - slot.usedMs >= IDLE_MS;
  }

  /** Rows of prompts that are in engines, on their way, or wait to leave this device. */
  get waitingBytes(): number {
    return this.#slots.reduce((sum, slot) => sum + (slot?.waitingBytes ?? 0), 0);
  }

  /** All frames that were not current. */
  get droppedFrames(): number {
    return this.#slots.reduce((sum, slot) => sum + (slot?.dropped ?? 0), this.dropped);
  }

  #find(driver: DeviceId, session: SessionId, stage: StageKey): Slot<P> | undefined {
    return this.#slots.find(
      (slot) => slot?.session === session && slot.driver === driver && isSameStage(slot.stage, stage),
    );
  }

  #open(session: SessionId, stage: StageKey, driver: DeviceId): Slot<P> | undefined {
    let count = 0;
    let oldest: Slot<P> | undefined;
    for (const slot of this.#slots) {
      if (slot === undefined || !isSameStage(slot.stage, stage)) continue;
      count++;
      if (this.mayTake(slot) && (oldest === undefined || slot.usedMs < oldest.usedMs)) oldest = slot;
    }
    if (count >= this.#models.slots(stage.model)) {
      if (oldest === undefined) return undefined;
      this.#free(oldest);
    }
    let index = this.#slots.indexOf(undefined);
    if (index < 0) index = this.#slots.length;
    const contextTokens = this.#models.contextTokens?.(stage.model);
    const slot = new Slot(
      index,
      stage,
      session,
      driver,
      this.#post,
      this.#payloads,
      contextTokens,
      this.retained,
      () => this.waitingBytes >= this.retained.waitingCapBytes,
    );
    this.#slots[index] = slot;
    return slot;
  }

  #free(slot: Slot<P>): void {
    slot.break();
    slot.dropRetained();
    this.#slots[slot.index] = undefined;
    this.#post.emit({ kind: 'free', slot: slot.index });
  }

  #refuse(to: DeviceId, message: PrepareMessage, reason: RefusedMessage['reason'], known = 0): void {
    const { session, attempt, stage } = message;
    this.#post.send(to, { kind: 'refused', session, attempt, stage, reason, known });
  }
}

interface Running<P> {
  readonly slot: Slot<P>;
  readonly attempt: number;
}

function nameOf(driver: DeviceId, session: SessionId): string {
  return `${driver} ${session}`;
}
