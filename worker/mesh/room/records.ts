import type { DeviceId, DeviceState, StageState } from '../types.ts';
import { DIGEST_MS, FORGET_MS } from './constants.ts';
import type { RecordPair } from './messages.ts';

/** A record of another device, by hearsay, is at most so much newer than what is known of it. */
const NEAR_INCARNATIONS = 1000;
const NEAR_COUNTERS = 2 ** 24;

interface Kept {
  state: DeviceState;
  /** It came from the device itself, over the link that is there now. */
  isFirstHand: boolean;
  /** What others say of a device with a link: of use only when that link is lost. */
  aside: DeviceState | undefined;
  /** When the device was last told what others say of it; awake ms. */
  toldMs: number;
  /** When it was last reached, or its record came; awake ms. */
  seenMs: number;
}

/** How new a record is. */
export type Pair = Pick<DeviceState, 'incarnation' | 'counter'>;

/** True where the pair (incarnation, counter) of a record is higher than that of another. */
export function isNewer(a: Pair, b: Pair): boolean {
  return a.incarnation !== b.incarnation ? a.incarnation > b.incarnation : a.counter > b.counter;
}

/** Whether both can be of one device without a word of its own: a false one may be meant to outdo all true ones. */
export function areNear(a: Pair, b: Pair): boolean {
  return (
    Math.abs(a.incarnation - b.incarnation) <= NEAR_INCARNATIONS && Math.abs(a.counter - b.counter) <= NEAR_COUNTERS
  );
}

/**
 * What came of a record: `news`, it is kept; `old`, it tells nothing; `for-itself`, it is newer than what a device with a
 * link says of itself, who shall be told; `doubtful`, too far from what is known to be believed from another: only a link
 * to the device can tell.
 */
export type Heard = 'news' | 'old' | 'for-itself' | 'doubtful';

/**
 * The state records of all devices, and what peers were not sent yet. A device that has a link is believed about itself, and
 * nobody else about it; of others the newest holds, whoever brought it, within bounds.
 */
export class Records {
  readonly #self: DeviceId;
  readonly #isMember: (device: DeviceId) => boolean;
  readonly #kept = new Map<DeviceId, Kept>();
  /** For each linked peer the devices whose record it may lack. */
  readonly #pending = new Map<DeviceId, Set<DeviceId>>();
  #linksVersion = 0;
  #live: Set<DeviceId>;
  #liveVersion = -1;

  /** @param isMember on the roster now: records of others are not taken, and forgotten */
  constructor(self: DeviceId, isMember: (device: DeviceId) => boolean = () => true) {
    this.#self = self;
    this.#isMember = isMember;
    this.#live = new Set([self]);
  }

  /** Rises with each link that comes or goes, of whichever device. */
  get linksVersion(): number {
    return this.#linksVersion;
  }

  of(device: DeviceId): DeviceState | undefined {
    return this.#kept.get(device)?.state;
  }

  devices(): Iterable<DeviceId> {
    return this.#kept.keys();
  }

  stage(device: DeviceId, model: string, first: number, last: number): StageState | undefined {
    for (const stage of this.#kept.get(device)?.state.stages ?? []) {
      if (stage.first === first && stage.last === last && stage.placement.model === model) return stage;
    }
    return undefined;
  }

  /**
   * Takes a record if it is news; `from` has it from now on, others get it at the next flush.
   * @param from undefined: this device itself
   */
  accept(state: DeviceState, from: DeviceId | undefined, nowMs: number): Heard {
    const { device } = state;
    if (!this.#isMember(device)) return 'old';
    const known = this.#kept.get(device);
    if (from !== undefined && (known === undefined || !isNewer(known.state, state))) {
      this.#pending.get(from)?.delete(device);
    }
    const isFirstHand = from === device && this.#pending.has(device);
    if (known !== undefined) {
      // on its link a device's word comes in order: the first of it holds against whatever was said of it before
      const isFirstWord = isFirstHand && !known.isFirstHand;
      known.isFirstHand ||= isFirstHand;
      if (isFirstWord ? isSameRecord(state, known.state) : !isNewer(state, known.state)) {
        const isFar = from !== undefined && !isFirstHand && !this.#pending.has(device) && !areNear(state, known.state);
        return isFar ? 'doubtful' : 'old';
      }
      if (from !== undefined && !isFirstHand) {
        if (!areNear(state, known.state)) return this.#pending.has(device) ? 'old' : 'doubtful';
        if (this.#pending.has(device)) return this.#setAside(known, state, nowMs);
      }
    }
    this.#take(state, from, isFirstHand, nowMs);
    return 'news';
  }

  #setAside(known: Kept, state: DeviceState, nowMs: number): Heard {
    if (known.aside === undefined || isNewer(state, known.aside)) known.aside = state;
    if (nowMs - known.toldMs < DIGEST_MS) return 'old';
    known.toldMs = nowMs;
    return 'for-itself';
  }

  #take(state: DeviceState, from: DeviceId | undefined, isFirstHand: boolean, nowMs: number): void {
    const known = this.#kept.get(state.device);
    const toldMs = known?.toldMs ?? Number.NEGATIVE_INFINITY;
    this.#kept.set(state.device, { state, isFirstHand, aside: known?.aside, toldMs, seenMs: nowMs });
    if (known === undefined || !areEqual(known.state.links, state.links)) this.#linksVersion++;
    // who has a link to the device hears it from there
    const others = from === undefined ? NOBODY : new Set(state.links);
    for (const peer of this.#pending.keys()) {
      if (peer === from || peer === state.device || others.has(peer)) continue;
      this.#pending.get(peer)?.add(state.device);
    }
  }

  linked(peer: DeviceId): void {
    this.#pending.set(peer, new Set());
    this.#linksVersion++;
  }

  unlinked(peer: DeviceId): void {
    this.#pending.delete(peer);
    this.#linksVersion++;
    const known = this.#kept.get(peer);
    if (known === undefined) return;
    const { aside } = known;
    known.isFirstHand = false;
    known.aside = undefined;
    if (aside !== undefined && isNewer(aside, known.state)) this.#take(aside, undefined, false, known.seenMs);
  }

  /** Gives each peer what it may lack. */
  flush(send: (peer: DeviceId, states: DeviceState[]) => void): void {
    for (const peer of this.#pending.keys()) {
      const pending = this.#pending.get(peer);
      if (pending === undefined || pending.size === 0) continue;
      const states: DeviceState[] = [];
      for (const device of pending) {
        const kept = this.#kept.get(device);
        if (kept !== undefined) states.push(kept.state);
      }
      pending.clear();
      send(peer, states);
    }
  }

  /**
   * Devices that a chain of links reaches: this device's own links, and those that the records of reached devices name.
   * Whoever is in nobody's links is dead: all that had a link to it have lost it.
   */
  live(): ReadonlySet<DeviceId> {
    if (this.#liveVersion === this.#linksVersion) return this.#live;
    this.#liveVersion = this.#linksVersion;
    const live = new Set<DeviceId>([this.#self]);
    for (const peer of this.#pending.keys()) live.add(peer);
    // a set grows while it is walked
    for (const device of live) {
      if (device === this.#self) continue;
      const state = this.#kept.get(device)?.state;
      if (state === undefined) continue;
      for (const next of state.links) live.add(next);
    }
    this.#live = live;
    return live;
  }

  /** Of each device that is live: others' news are no use to a newcomer. */
  digest(): RecordPair[] {
    const live = this.live();
    const pairs: RecordPair[] = [];
    for (const [device, { state }] of this.#kept) {
      if (live.has(device)) pairs.push([device, state.incarnation, state.counter]);
    }
    return pairs;
  }

  /** Compares with another's digest: what it lacks, and whom this device lacks news of. */
  compare(digest: readonly RecordPair[]): { lacks: DeviceState[]; asks: DeviceId[] } {
    const theirs = new Map<DeviceId, RecordPair>();
    for (const pair of digest) theirs.set(pair[0], pair);
    const lacks: DeviceState[] = [];
    const asks: DeviceId[] = [];
    const live = this.live();
    for (const [device, { state }] of this.#kept) {
      const pair = theirs.get(device);
      if (pair === undefined) {
        if (live.has(device)) lacks.push(state);
        continue;
      }
      const other = { incarnation: pair[1], counter: pair[2] };
      // where they are far apart each tells the other: it is for the device itself to say
      if (isNewer(state, other) || !areNear(state, other)) lacks.push(state);
      else if (isNewer(other, state)) asks.push(device);
    }
    for (const device of theirs.keys()) if (!this.#kept.has(device) && this.#isMember(device)) asks.push(device);
    return { lacks, asks };
  }

  /** Forgets devices that nobody reached for long, and those that are no members. */
  forgetOld(nowMs: number): void {
    const live = this.live();
    for (const [device, kept] of this.#kept) {
      if (!this.#isMember(device)) this.remove(device);
      else if (live.has(device)) kept.seenMs = nowMs;
      else if (nowMs - kept.seenMs > FORGET_MS) this.#kept.delete(device);
    }
  }

  remove(device: DeviceId): void {
    if (this.#kept.delete(device)) this.#linksVersion++;
  }
}

const NOBODY: ReadonlySet<DeviceId> = new Set();

function isSameRecord(a: DeviceState, b: DeviceState): boolean {
  return !isNewer(a, b) && !isNewer(b, a) && JSON.stringify(a) === JSON.stringify(b);
}

function areEqual(a: readonly DeviceId[], b: readonly DeviceId[]): boolean {
  return a.length === b.length && a.every((device, i) => device === b[i]);
}
