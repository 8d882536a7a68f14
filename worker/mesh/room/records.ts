import type { DeviceId, DeviceState, StageState } from '../types.ts';
import { FORGET_MS } from './constants.ts';
import type { RecordPair } from './messages.ts';

interface Kept {
  state: DeviceState;
  /** When it was last reached, or its record came; awake ms. */
  seenMs: number;
}

/** True where the pair (incarnation, counter) of a record is higher than that of another. */
export function isNewer(a: { incarnation: number; counter: number }, b: { incarnation: number; counter: number }) {
  return a.incarnation !== b.incarnation ? a.incarnation > b.incarnation : a.counter > b.counter;
}

/** The state records of all devices, each the newest that came, whoever brought it; and what peers were not sent yet. */
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

  /** Takes a record if it is news; `from` has it from now on, others get it at the next flush. */
  accept(state: DeviceState, from: DeviceId | undefined, nowMs: number): boolean {
    if (!this.#isMember(state.device)) return false;
    const known = this.#kept.get(state.device);
    if (from !== undefined && (known === undefined || !isNewer(known.state, state))) {
      this.#pending.get(from)?.delete(state.device);
    }
    if (known !== undefined && !isNewer(state, known.state)) return false;
    this.#kept.set(state.device, { state, seenMs: nowMs });
    if (known === undefined || !areEqual(known.state.links, state.links)) this.#linksVersion++;
    for (const [peer, pending] of this.#pending) {
      // who has a link to the device hears it from there
      if (peer === from || peer === state.device || (from !== undefined && state.links.includes(peer))) continue;
      pending.add(state.device);
    }
    return true;
  }

  linked(peer: DeviceId): void {
    this.#pending.set(peer, new Set());
    this.#linksVersion++;
  }

  unlinked(peer: DeviceId): void {
    this.#pending.delete(peer);
    this.#linksVersion++;
  }

  /** Gives each peer what it may lack. */
  flush(send: (peer: DeviceId, states: DeviceState[]) => void): void {
    for (const [peer, pending] of this.#pending) {
      if (pending.size === 0) continue;
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
      if (isNewer(state, other)) lacks.push(state);
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

function areEqual(a: readonly DeviceId[], b: readonly DeviceId[]): boolean {
  return a.length === b.length && a.every((device, i) => device === b[i]);
}
