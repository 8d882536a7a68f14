import type { DeviceId, DeviceState, ModelKey, Placement, PlacementId } from '../types.ts';
import { DIGEST_MS, LAST_COUNTER, PLACEMENTS_KEPT } from './constants.ts';
import { type Digest, digestsOf, speaksOf } from './digest.ts';
import { EpochBounds } from './epoch-bounds.ts';
import {
  DEVICES_A_DIGEST,
  DRIVING_A_RECORD,
  jsonBytes,
  MESSAGE_BYTES,
  PLACEMENTS_A_MESSAGE,
  RECORDS_A_MESSAGE,
  STAGES_A_RECORD,
  split,
  within,
} from './limits.ts';
import type { Links } from './links.ts';
import type { ControlMessage } from './messages.ts';
import { isSamePlacement, type PlacementBook } from './placement-order.ts';
import type { Post } from './post.ts';
import { areNear, isNewer, type Pair, type Records } from './records.ts';

/** What a device says of itself, without the pair that says how new it is. */
export type Description = Omit<DeviceState, 'incarnation' | 'counter'>;

/** How records and placements come to everybody: changes are sent on, digests find what was missed. */
export class Gossip<P> {
  readonly #post: Post<P>;
  readonly #links: Links;
  readonly #records: Records;
  readonly #book: PlacementBook;
  readonly #epochs = new EpochBounds();
  #incarnation: number;
  #counter = 0;
  #digestMs = 0;
  #digestTurn = 0;

  constructor(post: Post<P>, links: Links, records: Records, book: PlacementBook, incarnation: number) {
    this.#post = post;
    this.#links = links;
    this.#records = records;
    this.#book = book;
    this.#incarnation = incarnation;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** A new record of this device, for the next flush. */
  publish(description: Description): void {
    this.#counter++;
    if (this.#counter > LAST_COUNTER) {
      this.#incarnation++;
      this.#counter = 1;
    }
    const stages = [...description.stages].sort((a, b) => Number(a.phase === 'failed') - Number(b.phase === 'failed'));
    const state = {
      ...description,
      stages: within(stages, STAGES_A_RECORD, MESSAGE_BYTES / 2),
      driving: within(description.driving, DRIVING_A_RECORD, MESSAGE_BYTES / 4),
      incarnation: this.#incarnation,
      counter: this.#counter,
    };
    this.#records.accept(state, undefined, this.#post.nowMs);
  }

  /**
   * A record of this device came: true where an older self knew more (a disk was set back) or somebody lied, and it goes on
   * from there. From one that is far off it does not: who believes that one gets a link, and believes this device.
   */
  meetSelf(state: Pair): boolean {
    const own = { incarnation: this.#incarnation, counter: this.#counter };
    if (!isNewer(state, own) || !areNear(state, own)) return false;
    this.#incarnation = state.incarnation;
    this.#counter = state.counter;
    return true;
  }

  flush(): void {
    this.#records.flush((peer, states) => this.#sendNews(peer, states, []));
  }

  /** Whether others' proposal is not too high to be believed. */
  believes({ epoch }: PlacementId): boolean {
    return epoch <= this.#epochs.mostTaken(this.#book.highestEpoch);
  }

  unlinked(peer: DeviceId): void {
    this.#epochs.unlinked(peer);
  }

  /** A placement that is new here, to all but who brought it. */
  spread(placement: Placement, from: DeviceId | undefined): void {
    for (const peer of this.#links.up()) {
      if (peer !== from) this.#post.send(peer, { kind: 'gossip', states: [], placements: [placement] });
    }
  }

  sendDigest(peer: DeviceId): void {
    const placements = this.#commonPlacements().map(({ id }) => id);
    for (const digest of digestsOf(this.#records.digest(), placements)) this.#post.send(peer, digest);
  }

  /** Every 2 s: a digest to one peer in turn, and old things are forgotten. */
  tick(): void {
    const { nowMs } = this.#post;
    if (nowMs - this.#digestMs < DIGEST_MS) return;
    this.#digestMs = nowMs;
    const peers = [...this.#links.up()];
    const peer = peers[this.#digestTurn++ % Math.max(1, peers.length)];
    if (peer !== undefined) this.sendDigest(peer);
    this.#records.forgetOld(nowMs);
    this.#book.dropAbove(this.#epochs.mostKept);
    this.#book.prune(PLACEMENTS_KEPT, (id) => this.#isDriven(id));
    this.#book.forgetUnused(this.#modelsInUse(), nowMs);
  }

  /** Answers a digest: what its sender lacks, and what this device does. */
  compare(from: DeviceId, digest: Digest): void {
    this.#epochs.heard(from, digest);
    const { lacks, asks } = digest.states.length > 0 ? this.#records.compare(digest.states) : NOTHING;
    const missing = this.#commonPlacements().filter(
      ({ id }) => speaksOf(digest, id.model) && !digest.placements.some((theirs) => isSamePlacement(theirs, id)),
    );
    const wanted = digest.placements.filter(
      (id) => this.#book.get(id) === undefined && !this.#book.hasForgotten(id) && this.believes(id),
    );
    if (lacks.length > 0 || missing.length > 0) this.#sendNews(from, lacks, missing);
    let states = asks.slice(0, DEVICES_A_DIGEST);
    for (const placements of split(wanted, PLACEMENTS_A_MESSAGE, MESSAGE_BYTES / 2)) {
      this.#post.send(from, { kind: 'want', states, placements });
      states = [];
    }
    if (states.length > 0) this.#post.send(from, { kind: 'want', states, placements: [] });
  }

  answer(from: DeviceId, { states, placements }: Extract<ControlMessage, { kind: 'want' }>): void {
    this.#sendNews(
      from,
      states.map((device) => this.#records.of(device)),
      placements.map((id) => this.#book.get(id)?.placement),
    );
  }

  /** The highest placement of each model, and those that live devices run on or wait for. */
  *placementsInUse(): Iterable<Placement> {
    for (const model of this.#book.models()) {
      const highest = this.#book.highest(model);
      if (highest !== undefined) yield highest.placement;
    }
    for (const id of this.#driven()) {
      const known = this.#book.get(id);
      if (known !== undefined) yield known.placement;
    }
  }

  #sendNews(
    peer: DeviceId,
    states: readonly (DeviceState | undefined)[],
    placements: readonly (Placement | undefined)[],
  ): void {
    const records = split(
      states.filter((state) => state !== undefined),
      RECORDS_A_MESSAGE,
    );
    const news = split(
      placements.filter((placement) => placement !== undefined),
      PLACEMENTS_A_MESSAGE,
    );
    const [first, ...more] = news;
    const last = records.pop();
    for (const part of records) this.#post.send(peer, { kind: 'gossip', states: part, placements: [] });
    if (last !== undefined && first !== undefined && bytesOf(last) + bytesOf(first) <= MESSAGE_BYTES) {
      this.#post.send(peer, { kind: 'gossip', states: last, placements: first });
    } else {
      if (last !== undefined) this.#post.send(peer, { kind: 'gossip', states: last, placements: [] });
      if (first !== undefined) this.#post.send(peer, { kind: 'gossip', states: [], placements: first });
    }
    for (const part of more) this.#post.send(peer, { kind: 'gossip', states: [], placements: part });
  }

  /** Placements that everybody shall know: the highest of each model, and those that are driven. */
  #commonPlacements(): Placement[] {
    const common: Placement[] = [];
    const driven = [...this.#driven()];
    const isDriven = (id: PlacementId) => driven.some((other) => isSamePlacement(other, id));
    for (const model of this.#book.models()) {
      this.#book.of(model).forEach(({ placement }, index) => {
        if (index < PLACEMENTS_KEPT || isDriven(placement.id)) common.push(placement);
      });
    }
    return common;
  }

  /** Of which somebody who is live runs, waits for, holds or loads layers. */
  #modelsInUse(): Set<ModelKey> {
    const models = new Set<ModelKey>();
    for (const device of this.#records.live()) {
      const { stages, driving } = this.#records.of(device) ?? { stages: [], driving: [] };
      for (const { placement } of stages) models.add(placement.model);
      for (const { placement } of driving) models.add(placement.model);
    }
    return models;
  }

  /** What live devices run on or wait for; what several sessions of a device share comes mostly once. */
  *#driven(): Iterable<PlacementId> {
    for (const device of this.#records.live()) {
      let before: PlacementId | undefined;
      for (const { placement } of this.#records.of(device)?.driving ?? []) {
        if (before === undefined || !isSamePlacement(placement, before)) yield placement;
        before = placement;
      }
    }
  }

  #isDriven(id: PlacementId): boolean {
    for (const driven of this.#driven()) if (isSamePlacement(driven, id)) return true;
    return false;
  }
}

const NOTHING = { lacks: [], asks: [] } as const;

function bytesOf(records: readonly object[]): number {
  return records.reduce((sum, record) => sum + jsonBytes(record), 0);
}
