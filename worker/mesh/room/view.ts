import type { DeviceId, DeviceState, ModelKey, StageAssignment } from '../types.ts';
import { DISAGREE_MS, LINKING_MS, TAKE_UP_MS } from './constants.ts';
import type { Links } from './links.ts';
import type { KnownPlacement, PlacementBook } from './placement-order.ts';
import type { Records } from './records.ts';

/**
 * `usable`: an attempt can begin on it now. `coming`: it loads or links. `hopeless`: it needs a device that is dead, cannot,
 * or was given its time. A placement that is not `sound` has a
 * suspected device or a lost link, or lacks a link for longer than it takes to make one.
 */
export interface Verdict {
  readonly use: 'usable' | 'coming' | 'hopeless';
  readonly lacks: 'nothing' | 'loading' | 'linking';
  readonly sound: boolean;
}

/**
 * Whom a placement may need: `sure`: nobody who was asked and did not answer a short while ago, and no stage that was
 * refused; `doubtful`: no such stage; `any`: all, as for what runs already.
 */
export type Trust = 'sure' | 'doubtful' | 'any';

const HOPELESS: Verdict = { use: 'hopeless', lacks: 'nothing', sound: false };
const verdicts: Verdict[] = [];
for (const lacks of ['nothing', 'loading', 'linking'] as const) {
  const use = lacks === 'nothing' ? 'usable' : 'coming';
  verdicts.push({ use, lacks, sound: true }, { use, lacks, sound: false });
}
function verdict(lacks: Verdict['lacks'], sound: boolean): Verdict {
  const found = verdicts.find((one) => one.lacks === lacks && one.sound === sound);
  return found as Verdict;
}

interface RefusedStage extends StageAssignment {
  readonly model: ModelKey;
  readonly untilMs: number;
}

/** How one device sees its room: whom it reaches, and which placement is of use to it. */
export class View {
  readonly device: DeviceId;
  readonly links: Links;
  readonly records: Records;
  readonly book: PlacementBook;
  /** Devices that did not do what a placement says, and until when they are passed over; awake ms. */
  readonly #distrusted = new Map<DeviceId, number>();
  /** Stages that a device said not to have though its record does, and until when that is believed. */
  readonly #refused: RefusedStage[] = [];

  constructor(device: DeviceId, links: Links, records: Records, book: PlacementBook) {
    this.device = device;
    this.links = links;
    this.records = records;
    this.book = book;
  }

  /** There are devices to link to. */
  knowsOthers = false;
  /** Raised where a record came of a device that a session here is on, or waits for. */
  news = 0;

  /** Rises with whatever may change a verdict, time apart. */
  get version(): number {
    return this.links.version + this.records.linksVersion + this.book.version + this.news;
  }

  distrust(device: DeviceId, untilMs: number): void {
    if (device !== this.device) this.#distrusted.set(device, untilMs);
  }

  /** The device says that it has no such stage. */
  refuse(refused: RefusedStage, nowMs: number): void {
    this.hasDoubts(nowMs);
    if (refused.device !== this.device) this.#refused.push(refused);
  }

  /** Whether somebody is passed over now. Forgets who was. */
  hasDoubts(nowMs: number): boolean {
    for (const [device, untilMs] of this.#distrusted) if (nowMs >= untilMs) this.#distrusted.delete(device);
    for (let i = this.#refused.length - 1; i >= 0; i--) {
      if (nowMs >= (this.#refused[i] as RefusedStage).untilMs) this.#refused.splice(i, 1);
    }
    return this.#distrusted.size + this.#refused.length > 0;
  }

  #isDistrusted(device: DeviceId, nowMs: number): boolean {
    return nowMs < (this.#distrusted.get(device) ?? 0);
  }

  /** Whether the device refused a stage of the model; of that one, where it is given. */
  #hasRefused(device: DeviceId, model: ModelKey, nowMs: number, stage?: StageAssignment): boolean {
    return this.#refused.some(
      (one) =>
        one.device === device &&
        one.model === model &&
        nowMs < one.untilMs &&
        (stage === undefined || (stage.first === one.first && stage.last === one.last)),
    );
  }

  isLive(device: DeviceId): boolean {
    return this.records.live().has(device);
  }

  /** Both have said, or this device sees, that there is a link. */
  isLinked(a: DeviceId, b: DeviceId): boolean {
    if (a === b) return true;
    if (a === this.device) return this.links.isUp(b);
    if (b === this.device) return this.links.isUp(a);
    const one = this.records.of(a);
    const other = this.records.of(b);
    return one?.links.includes(b) === true && other?.links.includes(a) === true;
  }

  /** One of them has tried to reach the other, and does not. */
  isApart(a: DeviceId, b: DeviceId): boolean {
    if (a === b) return false;
    if (a === this.device) return this.links.lostSinceMs(b) !== undefined;
    if (b === this.device) return this.links.lostSinceMs(a) !== undefined;
    return this.#saysLost(a, b) || this.#saysLost(b, a);
  }

  #saysLost(a: DeviceId, b: DeviceId): boolean {
    const state = this.records.of(a);
    return state?.lost.includes(b) === true && !state.links.includes(b);
  }

  /** Of use to this device as a driver? */
  judge(known: KnownPlacement, nowMs: number, trust: Trust = 'sure'): Verdict {
    const { stages, id } = known.placement;
    let lacks: Verdict['lacks'] = 'nothing';
    let sound = true;
    let unlinked = false;
    for (let i = 0; i < stages.length; i++) {
      const stage = stages[i] as (typeof stages)[number];
      const { device, first, last } = stage;
      if (!this.isLive(device)) return HOPELESS;
      if (trust === 'sure' && this.#isDistrusted(device, nowMs)) return HOPELESS;
      if (trust !== 'any' && this.#hasRefused(device, id.model, nowMs, stage)) return HOPELESS;
      const phase = this.#phase(device, id.model, first, last);
      if (phase === 'failed') return HOPELESS;
      if (phase === undefined && nowMs - known.learnedMs > TAKE_UP_MS) return HOPELESS;
      if (phase !== 'ready') lacks = 'loading';
      if (this.links.isSuspected(device) || this.isApart(this.device, device)) sound = false;
      if (device !== this.device && !this.links.isUp(device)) unlinked = true;
      const next = stages[(i + 1) % stages.length] as (typeof stages)[number];
      if (!this.isLinked(device, next.device)) unlinked = true;
      if (this.isApart(device, next.device)) sound = false;
    }
    if (!unlinked) known.unlinkedSinceMs = undefined;
    else {
      known.unlinkedSinceMs ??= nowMs;
      if (nowMs - known.unlinkedSinceMs >= DISAGREE_MS) return HOPELESS;
      if (nowMs - known.unlinkedSinceMs >= LINKING_MS) sound = false;
      if (lacks === 'nothing') lacks = 'linking';
    }
    return verdict(lacks, sound);
  }

  #phase(device: DeviceId, model: ModelKey, first: number, last: number) {
    return this.records.stage(device, model, first, last)?.phase;
  }

  /** Whether somebody runs on a device's stage or waits for it. */
  isNeeded(device: DeviceId, model: ModelKey, first: number, last: number): boolean {
    const names = (known: KnownPlacement | undefined) =>
      known?.placement.stages.some((one) => one.device === device && one.first === first && one.last === last) === true;
    for (const live of this.records.live()) {
      for (const { placement } of this.records.of(live)?.driving ?? []) {
        if (placement.model === model && names(this.book.get(placement))) return true;
      }
    }
    return false;
  }

  /** The records of devices that may be counted on, for a model where one is given. */
  *answering(nowMs: number, trust: Trust = 'sure', model?: ModelKey): Iterable<DeviceState> {
    for (const device of this.records.live()) {
      const state = this.records.of(device);
      if (state === undefined || (trust === 'sure' && this.#isDistrusted(device, nowMs))) continue;
      if (trust !== 'any' && model !== undefined && this.#hasRefused(device, model, nowMs)) continue;
      yield state;
    }
  }
}
