import type { DeviceId, DeviceProfile, PlacementId, StageState } from '../types.ts';
import { FAILED_MS, KEEP_WEIGHTS_MS } from './constants.ts';
import type { ModelSizes } from './io.ts';
import type { StageKey } from './messages.ts';
import { isSamePlacement, isSameStage, type PlacementBook } from './placement-order.ts';
import type { Post } from './post.ts';
import type { Records } from './records.ts';

interface Held {
  readonly stage: StageKey;
  placement: PlacementId;
  phase: StageState['phase'];
  readonly bytes: number;
  doneBytes: number;
  totalBytes: number;
  /** A placement that somebody uses or waits for, or the highest of the model, names it. */
  wanted: boolean;
  /** When it was last wanted or used, or failed; awake ms. */
  usedMs: number;
}

/** Which stages this device loads, keeps and drops: those that placements of interest give it, within its budget. */
export class Holdings<P> {
  readonly #post: Post<P>;
  readonly #book: PlacementBook;
  readonly #records: Records;
  readonly #models: ModelSizes;
  readonly #profile: DeviceProfile;
  readonly #isUsed: (stage: StageKey) => boolean;
  #held: Held[] = [];
  /** Set when what others should know has changed; whoever tells them clears it. */
  changed = false;

  constructor(
    post: Post<P>,
    book: PlacementBook,
    records: Records,
    models: ModelSizes,
    profile: DeviceProfile,
    isUsed: (stage: StageKey) => boolean,
  ) {
    this.#post = post;
    this.#book = book;
    this.#records = records;
    this.#models = models;
    this.#profile = profile;
    this.#isUsed = isUsed;
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

  /** Budget that no stage takes, or only one that would give way. */
  get freeBytes(): number {
    return this.#held.reduce(
      (free, held) => (held.wanted && held.phase !== 'failed' ? free - held.bytes : free),
      this.#profile.budgetBytes,
    );
  }

  progress(stage: StageKey, doneBytes: number, totalBytes: number): void {
    const held = this.#find(stage);
    if (held === undefined) return;
    held.doneBytes = doneBytes;
    held.totalBytes = totalBytes;
    this.changed = true;
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

  lost(stage: StageKey): void {
    this.#held = this.#held.filter((held) => !isSameStage(held.stage, stage));
    this.changed = true;
  }

  /** Loads what is named and lacks, abandons what nobody waits for any more, drops what was long unused. */
  look(device: DeviceId): void {
    const { nowMs } = this.#post;
    const wanted = this.#wanted(device);
    for (const held of this.#held) {
      const by = wanted.find(({ stage }) => isSameStage(stage, held.stage));
      const isWanted = by !== undefined || (held.phase === 'ready' && this.#isUsed(held.stage));
      if (isWanted !== held.wanted) this.changed = true;
      held.wanted = isWanted;
      if (isWanted && held.phase !== 'failed') held.usedMs = nowMs;
      if (by !== undefined && !isSamePlacement(by.placement, held.placement)) {
        held.placement = by.placement;
        this.changed = true;
      }
    }
    for (const held of this.#held) if (!held.wanted && this.#isOver(held, nowMs)) this.#drop(held);
    for (const held of this.#held) {
      if (held.phase === 'failed' && nowMs - held.usedMs >= FAILED_MS) this.#drop(held);
    }
    for (const { stage, placement } of wanted) {
      if (this.#find(stage) === undefined) this.#load(stage, placement);
    }
  }

  #isOver(held: Held, nowMs: number): boolean {
    return held.phase !== 'ready' || nowMs - held.usedMs >= KEEP_WEIGHTS_MS;
  }

  /** This device's stages in the highest placement of each model, and in all that live drivers use or wait for. */
  #wanted(device: DeviceId): { stage: StageKey; placement: PlacementId }[] {
    const wanted: { stage: StageKey; placement: PlacementId }[] = [];
    const add = (id: PlacementId) => {
      const known = this.#book.get(id);
      for (const { device: holder, first, last } of known?.placement.stages ?? []) {
        if (holder !== device) continue;
        const stage = { model: id.model, first, last };
        if (!wanted.some((other) => isSameStage(other.stage, stage))) wanted.push({ stage, placement: id });
      }
    };
    for (const model of this.#book.models()) {
      const highest = this.#book.highest(model);
      if (highest !== undefined) add(highest.placement.id);
    }
    for (const live of this.#records.live()) {
      for (const { placement } of this.#records.of(live)?.driving ?? []) add(placement);
    }
    return wanted;
  }

  #load(stage: StageKey, placement: PlacementId): void {
    const { nowMs } = this.#post;
    const bytes = this.#models.bytes(stage.model, stage.first, stage.last, this.#profile) ?? 0;
    const fits = this.#profile.compute && this.#makeRoom(bytes);
    const phase = fits ? ('loading' as const) : ('failed' as const);
    this.#held.push({ stage, placement, phase, bytes, doneBytes: 0, totalBytes: bytes, wanted: true, usedMs: nowMs });
    this.changed = true;
    if (fits) this.#post.emit({ kind: 'load', stage });
  }

  /** Drops what nobody wants, the longest unused first, until so much of the budget is free. */
  #makeRoom(bytes: number): boolean {
    for (;;) {
      const taken = this.#held.reduce((sum, held) => (held.phase === 'failed' ? sum : sum + held.bytes), 0);
      if (taken + bytes <= this.#profile.budgetBytes) return true;
      let oldest: Held | undefined;
      for (const held of this.#held) {
        if (held.wanted || held.phase === 'failed') continue;
        if (oldest === undefined || held.usedMs < oldest.usedMs) oldest = held;
      }
      if (oldest === undefined) return false;
      this.#drop(oldest);
    }
  }

  #drop(held: Held): void {
    this.#held = this.#held.filter((other) => other !== held);
    this.changed = true;
    if (held.phase !== 'failed') this.#post.emit({ kind: 'unload', stage: held.stage });
  }

  #find(stage: StageKey): Held | undefined {
    return this.#held.find((held) => isSameStage(held.stage, stage));
  }
}
