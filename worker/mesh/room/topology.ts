import type { DeviceId, DeviceProfile, Placement } from '../types.ts';
import {
  CHORDS,
  CONNECT_MS,
  FORGET_MS,
  FULL_MESH_DEVICES,
  LEAST_LINKS,
  PHONE_LINKS,
  RETRY_LEAST_MS,
  RETRY_MOST_MS,
  SPARE_LINK_MS,
} from './constants.ts';
import { hashOf } from './hash.ts';
import type { Post } from './post.ts';
import type { View } from './view.ts';

const SOUGHT_MS = 10_000;
/** Connections that a lonely device tries at a time. */
const TRIES_AT_ONCE = 8;

/** A device that there is, or was, and what is done to link to it. */
interface Known {
  readonly device: DeviceId;
  readonly place: number;
  readonly affinity: number;
  address: string | undefined;
  /** When it was last reached or announced; awake ms. */
  seenMs: number;
  /** The incarnation of its record that was seen. */
  incarnation: number;
  /** Asked for at; undefined: not under way. */
  askedMs: number | undefined;
  retryMs: number;
  nextTryMs: number;
  /** Of the link that is up. */
  openedMs: number | undefined;
  wantedMs: number;
  /** As it was when last looked at. */
  isLive: boolean;
  /** When it was last looked for, for its room or its word. */
  soughtMs: number;
  isWanted: boolean;
}

/**
 * Which links this device wants. Up to 8 devices: all. Above: its pipelines' neighbours, the drivers of its stages and the
 * stages it drives; its neighbours on a ring in the order of hashes, of all devices that live and of all that are known,
 * so that what was split finds together again; and chords, those with the least hash of both ids.
 */
export class Topology<P> {
  readonly #post: Post<P>;
  readonly #view: View;
  readonly #mostLinks: number;
  readonly #random: () => number;
  readonly #known = new Map<DeviceId, Known>();
  readonly #placementsInUse: () => Iterable<Placement>;

  constructor(
    post: Post<P>,
    view: View,
    profile: DeviceProfile,
    random: () => number,
    placementsInUse: () => Iterable<Placement>,
  ) {
    this.#post = post;
    this.#view = view;
    this.#random = random;
    this.#placementsInUse = placementsInUse;
    const isPhone = profile.platform === 'iphone' || profile.platform === 'android';
    this.#mostLinks = isPhone ? PHONE_LINKS : Number.POSITIVE_INFINITY;
  }

  /** Signaling says where it is: it can be tried at once. */
  present(device: DeviceId, address: string): void {
    if (device === this.#post.device) return;
    const known = this.#know(device);
    known.address = address;
    this.#tryNow(known);
  }

  removed(device: DeviceId): void {
    this.#known.delete(device);
    if (this.#view.links.isUp(device)) this.#post.emit({ kind: 'disconnect', peer: device });
  }

  /** Links to these for a while: a driver looks for room, or what others say of them is doubtful. */
  seek(devices: readonly DeviceId[]): void {
    for (const device of devices) if (device !== this.#post.device) this.#know(device).soughtMs = this.#post.nowMs;
  }

  opened(device: DeviceId): void {
    const known = this.#know(device);
    known.askedMs = undefined;
    known.openedMs = this.#post.nowMs;
    known.wantedMs = this.#post.nowMs;
  }

  /** A link is gone, or did not come about. One that ends at once, as with a page that hides, is no better than none. */
  closed(device: DeviceId): void {
    const known = this.#know(device);
    known.askedMs = undefined;
    const lastedMs = this.#post.nowMs - (known.openedMs ?? this.#post.nowMs);
    if (lastedMs >= RETRY_MOST_MS) known.retryMs = RETRY_LEAST_MS;
    known.openedMs = undefined;
    const spreadMs = known.retryMs * (0.5 + this.#random());
    known.nextTryMs = this.#post.nowMs + spreadMs;
    known.retryMs = Math.min(RETRY_MOST_MS, known.retryMs * 2);
  }

  /** All others may have waited for this device. */
  rejoin(): void {
    for (const known of this.#known.values()) this.#tryNow(known);
  }

  look(): void {
    const { nowMs } = this.#post;
    this.#learn(nowMs);
    const wanted = this.#wanted();
    for (const device of wanted) {
      const known = this.#known.get(device);
      if (known === undefined) continue;
      known.wantedMs = nowMs;
      if (!known.isWanted) known.nextTryMs = nowMs;
      known.isWanted = true;
      if (!this.#view.links.isUp(device)) this.#connect(known, nowMs);
    }
    for (const known of this.#known.values()) {
      const { device } = known;
      if (wanted.has(device)) continue;
      known.isWanted = false;
      if (known.askedMs !== undefined) continue;
      if (!this.#view.links.isUp(device)) {
        // that it cannot be reached is of no interest any more
        if (this.#view.links.lostSinceMs(device) !== undefined && nowMs - known.wantedMs > SPARE_LINK_MS) {
          this.#view.links.letGo(device);
        }
      } else if (nowMs - known.wantedMs > SPARE_LINK_MS || this.#linkCount() > this.#mostLinks) {
        this.#post.emit({ kind: 'disconnect', peer: device });
        this.#dropped(device);
      }
    }
  }

  /** Set by the node: what follows when this device ends a link on purpose. */
  onDropped: (device: DeviceId) => void = () => {};

  #dropped(device: DeviceId): void {
    this.onDropped(device);
  }

  #linkCount(): number {
    let count = 0;
    for (const _ of this.#view.links.up()) count++;
    return count;
  }

  #connect(known: Known, nowMs: number): void {
    if (known.askedMs !== undefined && nowMs - known.askedMs < CONNECT_MS) return;
    if (nowMs < known.nextTryMs) return;
    known.askedMs = nowMs;
    this.#post.emit({ kind: 'connect', peer: known.device, address: known.address });
  }

  /** From the records: who is new, who loaded again, who is gone for long. */
  #learn(nowMs: number): void {
    const live = this.#view.records.live();
    for (const device of this.#view.records.devices()) {
      const state = this.#view.records.of(device);
      if (state === undefined || device === this.#post.device) continue;
      const known = this.#know(device);
      if (state.incarnation !== known.incarnation) {
        known.incarnation = state.incarnation;
        known.address = state.address;
        this.#tryNow(known);
      }
      if (live.has(device)) {
        known.seenMs = nowMs;
        if (!known.isLive) this.#tryNow(known);
      }
      known.isLive = live.has(device);
    }
    for (const known of this.#known.values()) {
      if (nowMs - known.seenMs > FORGET_MS && !this.#view.links.isUp(known.device)) this.#known.delete(known.device);
    }
  }

  #know(device: DeviceId): Known {
    let known = this.#known.get(device);
    if (known === undefined) {
      const own = this.#post.device;
      const pair = own < device ? own + device : device + own;
      known = {
        device,
        place: hashOf(device),
        affinity: hashOf(pair),
        address: undefined,
        seenMs: this.#post.nowMs,
        incarnation: -1,
        askedMs: undefined,
        retryMs: RETRY_LEAST_MS,
        nextTryMs: 0,
        openedMs: undefined,
        wantedMs: 0,
        isLive: false,
        soughtMs: Number.NEGATIVE_INFINITY,
        isWanted: false,
      };
      this.#known.set(device, known);
      this.#view.knowsOthers = true;
    }
    return known;
  }

  #tryNow(known: Known): void {
    known.retryMs = RETRY_LEAST_MS;
    known.nextTryMs = this.#post.nowMs;
    known.seenMs = this.#post.nowMs;
  }

  // ---------- whom ----------

  #wanted(): Set<DeviceId> {
    if (this.#known.size < FULL_MESH_DEVICES) return new Set(this.#known.keys());
    const wanted = new Set<DeviceId>();
    const want = (device: DeviceId) => {
      if (device !== this.#post.device && wanted.size < this.#mostLinks) wanted.add(device);
    };
    this.#wantPipelines(want);
    for (const { device, soughtMs } of this.#known.values()) if (this.#post.nowMs - soughtMs < SOUGHT_MS) want(device);
    const live = this.#view.records.live();
    this.#wantRing(want, (device) => live.has(device));
    this.#wantRing(want, () => true);
    this.#wantChords(want, live);
    if (this.#linkCount() < LEAST_LINKS) this.#wantAnybody(want);
    return wanted;
  }

  #wantPipelines(want: (device: DeviceId) => void): void {
    const own = this.#post.device;
    for (const { stages } of this.#placementsInUse()) {
      for (let i = 0; i < stages.length; i++) {
        if (stages[i]?.device !== own) continue;
        want((stages[(i + 1) % stages.length] as (typeof stages)[number]).device);
        want((stages[(i + stages.length - 1) % stages.length] as (typeof stages)[number]).device);
      }
    }
    for (const device of this.#view.records.live()) {
      for (const { placement } of this.#view.records.of(device)?.driving ?? []) {
        const stages = this.#view.book.get(placement)?.placement.stages ?? [];
        if (device === own) for (const stage of stages) want(stage.device);
        else if (stages.some((stage) => stage.device === own)) want(device);
      }
    }
  }

  /** The next device up and down from this one. */
  #wantRing(want: (device: DeviceId) => void, among: (device: DeviceId) => boolean): void {
    const own = hashOf(this.#post.device);
    let after: Known | undefined;
    let before: Known | undefined;
    for (const known of this.#known.values()) {
      if (!among(known.device)) continue;
      if (after === undefined || ringDistance(own, known.place) < ringDistance(own, after.place)) after = known;
      if (before === undefined || ringDistance(known.place, own) < ringDistance(before.place, own)) before = known;
    }
    if (after !== undefined) want(after.device);
    if (before !== undefined) want(before.device);
  }

  /** Who is new, or alone, tries one after the other: whoever was not tried for longest. */
  #wantAnybody(want: (device: DeviceId) => void): void {
    const { nowMs } = this.#post;
    const asked = [...this.#known.values()].filter(({ askedMs }) => askedMs !== undefined);
    const next = [...this.#known.values()]
      .filter(({ device, askedMs, nextTryMs }) => {
        return askedMs === undefined && nextTryMs <= nowMs && !this.#view.links.isUp(device);
      })
      .sort((a, b) => a.nextTryMs - b.nextTryMs || a.affinity - b.affinity);
    for (const { device } of [...asked, ...next].slice(0, TRIES_AT_ONCE)) want(device);
  }

  #wantChords(want: (device: DeviceId) => void, live: ReadonlySet<DeviceId>): void {
    const least: Known[] = [];
    for (const known of this.#known.values()) {
      if (!live.has(known.device)) continue;
      least.push(known);
      least.sort((a, b) => a.affinity - b.affinity);
      if (least.length > CHORDS) least.pop();
    }
    for (const { device } of least) want(device);
  }
}

function ringDistance(from: number, to: number): number {
  return (to - from) >>> 0;
}
