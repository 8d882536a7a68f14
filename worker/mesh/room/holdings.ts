import type { DeviceId, DeviceProfile, PlacementId, StageState } from '../types.ts';
import { FAILED_MS, KEEP_WEIGHTS_MS, NO_ROOM_MS } from './constants.ts';
import type { ModelSizes } from './io.ts';
import type { StageKey } from './messages.ts';
import { isSamePlacement, isSameStage, type PlacementBook } from './placement-order.ts';
import type { Post } from './post.ts';
import type { Records } from './records.ts';

/** A stage that was lost again so soon is not simply loaded again. */
const LOSSES_MS = 300_000;
const LOST_REST_MOST_MS = 120_000;

interface Held {
  readonly stage: StageKey;
  placement: PlacementId;
  phase: StageState['phase'];
  readonly bytes: number;
  doneBytes: number;
  totalBytes: number;
  /** `driven`: somebody runs on it or waits for it. `named`: the highest placement of the model names it. */
  wanted: 'driven' | 'named' | 'no';
  /** When it was last wanted or used, or failed; awake ms. */
  usedMs: number;
  /** After a failure: how long until it is tried again. */
  restMs: number;
}

interface Wanted {
  readonly stage: StageKey;
  readonly placement: PlacementId;
  readonly isDriven: boolean;
}

/** Which stages this device loads, keeps and drops: those that placements of interest give it, within its budget. */
export class Holdings<P> {
  readonly #post: Post<P>;
  readonly #book: PlacementBook;
  readonly #records: Records;
  readonly #models: ModelSizes;
  #profile: DeviceProfile;
  readonly #isUsed: (stage: StageKey) => boolean;
  readonly #dropped: (stage: StageKey) => void;
  #held: Held[] = [];
  /** How often a stage was lost of late. */
  readonly #losses = new Map<string, { readonly count: number; readonly atMs: number }>();
  /** Set when what others should know has changed; whoever tells them clears it. */
  changed = false;
  /** The same of how far loads came, which is in no hurry. */
  progressed = false;

  constructor(
    post: Post<P>,
    book: PlacementBook,
    records: Records,
    models: ModelSizes,
    profile: DeviceProfile,
    isUsed: (stage: StageKey) => boolean,
    dropped: (stage: StageKey) => void,
  ) {
    this.#post = post;
    this.#book = book;
    this.#records = records;
    this.#models = models;
    this.#profile = profile;
    this.#isUsed = isUsed;
    this.#dropped = dropped;
  }

  set profile(profile: DeviceProfile) {
    this.#profile = profile;
  }

  isReady(stage: StageKey): boolean {
    return this.#find(stage)?.phase === 'ready';
  }

  states(): StageState[] {
    return this.#held.map(({ stage: { first, last }, placement, phase, doneBytes, totalBytes }) => ({
      placement,
      first,
      last,
      phase,
      doneBytes,
      totalBytes,
    }));
  }

  /** Budget that no stage takes; below 0 where the budget was lowered since. */
  get freeBytes(): number {
    return this.#held.reduce(
      (free, held) => (held.phase === 'failed' ? free : free - held.bytes),
      this.#profile.budgetBytes,
    );
  }

  progress(stage: StageKey, doneBytes: number, totalBytes: number): void {
    const held = this.#find(stage);
    if (held === undefined) return;
    held.doneBytes = doneBytes;
    held.totalBytes = totalBytes;
    this.progressed = true;
  }

  ready(stage: StageKey): void {
    const held = this.#find(stage);
    if (held?.phase !== 'loading') return;
    held.phase = 'ready';
    held.doneBytes = held.totalBytes;
    held.usedMs = this.#post.nowMs;
    this.changed = true;
  }

  failed(stage: StageKey): void {
    const held = this.#find(stage);
    if (held === undefined) return;
    held.phase = 'failed';
    held.usedMs = this.#post.nowMs;
    this.changed = true;
  }

  /** Its GPU is gone: it is loaded again at once, but after the next loss only in a while, twice as long each time. */
  lost(stage: StageKey): void {
    const held = this.#find(stage);
    const { nowMs } = this.#post;
    const name = `${stage.first} ${stage.last} ${stage.model}`;
    const before = this.#losses.get(name);
    const count = before !== undefined && nowMs - before.atMs < LOSSES_MS ? before.count + 1 : 1;
    this.#losses.set(name, { count, atMs: nowMs });
    for (const [other, { atMs }] of this.#losses) if (nowMs - atMs >= LOSSES_MS) this.#losses.delete(other);
    this.changed = true;
    if (held === undefined || count === 1) {
      this.#held = this.#held.filter((other) => other !== held);
      return;
    }
    held.phase = 'failed';
    held.usedMs = nowMs;
    held.restMs = Math.min(LOST_REST_MOST_MS, NO_ROOM_MS * 2 ** (count - 2));
  }

  /** Loads what is named and lacks, abandons what nobody waits for any more, drops what was long unused. */
  look(device: DeviceId): void {
    const { nowMs } = this.#post;
    const wanted = this.#wanted(device);
    for (const held of this.#held) {
      const by = wanted.find(({ stage }) => isSameStage(stage, held.stage));
      const isUsed = by?.isDriven === true || (held.phase === 'ready' && this.#isUsed(held.stage));
      held.wanted = isUsed ? 'driven' : by === undefined ? 'no' : 'named';
      if (held.wanted !== 'no' && held.phase !== 'failed') held.usedMs = nowMs;
      if (by !== undefined && !isSamePlacement(by.placement, held.placement)) {
        held.placement = by.placement;
        this.changed = true;
      }
    }
    for (const held of this.#held) if (held.wanted === 'no' && this.#isOver(held, nowMs)) this.#drop(held);
    for (const held of this.#held) {
      if (held.phase === 'failed' && nowMs - held.usedMs >= held.restMs) this.#drop(held);
    }
    if (this.freeBytes < 0) this.#makeRoom(0, true);
    for (const one of wanted) if (this.#find(one.stage) === undefined) this.#load(one);
  }

  /** A load that nobody waits for any more is worth its end once half of it is here. */
  #isOver(held: Held, nowMs: number): boolean {
    if (held.phase === 'loading') return held.doneBytes * 2 < held.totalBytes;
    // a failure is remembered until it is tried again, or who hopes for the stage would hope anew at once
    return held.phase === 'ready' && nowMs - held.usedMs >= KEEP_WEIGHTS_MS;
  }

  /** This device's stages in all placements that live drivers use or wait for, and in the highest of each model. */
  #wanted(device: DeviceId): Wanted[] {
    const wanted: Wanted[] = [];
    const add = (id: PlacementId, isDriven: boolean) => {
      const known = this.#book.get(id);
      for (const { device: holder, first, last } of known?.placement.stages ?? []) {
        if (holder !== device) continue;
        const stage = { model: id.model, first, last };
        if (!wanted.some((other) => isSameStage(other.stage, stage))) wanted.push({ stage, placement: id, isDriven });
      }
    };
    // many sessions are on one placement
    let before: PlacementId | undefined;
    for (const live of this.#records.live()) {
      for (const { placement } of this.#records.of(live)?.driving ?? []) {
        if (before === undefined || !isSamePlacement(placement, before)) add(placement, true);
        before = placement;
      }
    }
    for (const model of this.#book.models()) {
      const highest = this.#book.highest(model);
      if (highest !== undefined) add(highest.placement.id, false);
    }
    return wanted;
  }

  #load({ stage, placement, isDriven }: Wanted): void {
    const { nowMs } = this.#post;
    const bytes = this.#models.bytes(stage.model, stage.first, stage.last, this.#profile) ?? 0;
    const fits = this.#profile.compute && this.#makeRoom(bytes, isDriven);
    // nobody waits for it: it may find room later
    if (!fits && !isDriven) return;
    this.#held.push({
      stage,
      placement,
      phase: fits ? 'loading' : 'failed',
      bytes,
      doneBytes: 0,
      totalBytes: bytes,
      wanted: isDriven ? 'driven' : 'named',
      usedMs: nowMs,
      restMs: fits ? FAILED_MS : NO_ROOM_MS,
    });
    this.changed = true;
    if (fits) this.#post.emit({ kind: 'load', stage });
  }

  /**
   * For a stage that is waited for, drops what nobody waits for until so much of the budget is free: first what no
   * placement names, the longest unused first. Others take what is free as it is.
   */
  #makeRoom(bytes: number, isDriven: boolean): boolean {
    const givesWay = ({ wanted, phase }: Held) => phase !== 'failed' && wanted !== 'driven';
    const most = this.#held.reduce((sum, held) => sum + (givesWay(held) ? held.bytes : 0), this.freeBytes);
    if ((isDriven ? most : this.freeBytes) < bytes) return false;
    while (this.freeBytes < bytes) {
      let next: Held | undefined;
      for (const held of this.#held) {
        if (!givesWay(held)) continue;
        const isSame = next !== undefined && held.wanted === next.wanted;
        if (next === undefined || (isSame ? held.usedMs < next.usedMs : held.wanted === 'no')) next = held;
      }
      if (next === undefined) return false;
      this.#drop(next);
    }
    return true;
  }

  #drop(held: Held): void {
    this.#held = this.#held.filter((other) => other !== held);
    this.changed = true;
    if (held.phase === 'failed') return;
    this.#dropped(held.stage); // before: what its slots still want of the engine comes before the end
    this.#post.emit({ kind: 'unload', stage: held.stage });
  }

  #find(stage: StageKey): Held | undefined {
    return this.#held.find((held) => isSameStage(held.stage, stage));
  }
}
