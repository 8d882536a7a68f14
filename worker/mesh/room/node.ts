import type {
  DeviceId,
  DeviceProfile,
  DeviceState,
  ModelKey,
  Placement,
  PlacementId,
  StageAssignment,
} from '../types.ts';
import { AwakeClock } from './clock.ts';
import type { Candidate, Dealt } from './deal.ts';
import { Driver } from './driver.ts';
import { Gossip } from './gossip.ts';
import { Holdings } from './holdings.ts';
import type { Effect, Input, RoomOptions } from './io.ts';
import { Links } from './links.ts';
import { type ControlMessage, DRIVER_SLOT, type Frame } from './messages.ts';
import { comparePlacements, nextEpoch, PlacementBook, roundOf } from './placement-order.ts';
import { Placing } from './placing.ts';
import type { Post } from './post.ts';
import { Records } from './records.ts';
import { StageHost } from './stage-host.ts';
import { Topology } from './topology.ts';
import { Use } from './use.ts';
import { View } from './view.ts';

/** A lost link is named in the record so long, though its peer may be gone. */
const NAME_LOST_MS = 10_000;
const SURVEY_MS = 1000;

type ToSelf<P> = { message: ControlMessage } | { frame: Frame<P> };

/**
 * What one device does in a room: a state machine from what happens to it, and when, to what its host shall do. It has no
 * timer and no promise; the host calls `handle` for each event and about every 250 ms for a tick.
 */
export class RoomNode<P> {
  readonly #options: RoomOptions<P>;
  readonly #clock = new AwakeClock();
  readonly links = new Links();
  readonly records: Records;
  readonly book: PlacementBook;
  readonly #use: Use;
  readonly gossip: Gossip<P>;
  readonly view: View;
  readonly holdings: Holdings<P>;
  readonly stages: StageHost<P>;
  readonly driver: Driver<P>;
  readonly topology: Topology<P>;
  readonly #placing: Placing;
  #effects: Effect<P>[] = [];
  /** What this device says to itself, as driver and stage: handled before `handle` ends. */
  readonly #toSelf: ToSelf<P>[] = [];
  #profile: DeviceProfile;
  #visible = true;
  #wakeLock = false;
  #away = false;
  /** The record that others have of this device is not up to date. */
  #changed = true;
  #linksVersion = -1;
  #seenVersion = -1;
  /** When links, stages and old records were last seen to, and of which version of links and placements. */
  #surveyedMs = Number.NEGATIVE_INFINITY;
  #surveyedVersion = -1;
  /** Others shall know at once who waits for it. */
  #hasProposed = false;

  constructor(options: RoomOptions<P>) {
    this.#options = options;
    this.#profile = options.profile;
    const { device, payloads, models, profile, random } = options;
    const post = this.#post();
    this.records = new Records(device, options.isMember);
    this.#use = new Use(device, this.records);
    this.book = new PlacementBook(this.#use);
    this.gossip = new Gossip(post, this.links, this.records, this.book, options.incarnation);
    this.view = new View(device, this.links, this.records, this.book);
    this.stages = new StageHost(post, payloads, models, (stage) => this.holdings.isReady(stage), options.retainedBytes);
    this.holdings = new Holdings(
      post,
      this.book,
      this.records,
      models,
      profile,
      (stage) => this.stages.isUsed(stage),
      (stage) => this.stages.stageLost(stage),
    );
    this.#placing = new Placing(this.view, models);
    this.driver = new Driver(
      post,
      this.view,
      this.#placing,
      (model, stages) => this.#propose(model, stages),
      (devices) => this.topology.seek(devices),
      options.incarnation,
    );
    this.topology = new Topology(post, this.view, profile, random, () => this.gossip.placementsInUse());
    this.topology.onDropped = (peer) => {
      this.links.letGo(peer);
      this.#unlinked(peer);
    };
  }

  /** What happened, and when by the host's monotonic clock in ms. The effects are to be carried out in order. */
  handle(input: Input<P>, nowMs: number): readonly Effect<P>[] {
    if (this.#clock.advance(nowMs)) this.#rejoin();
    this.#take(input);
    this.#settle();
    if (this.#effects.length === 0) return NOTHING;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** How a placement of the model would look if it were proposed now. Undefined: the model is not known here. */
  preview(model: ModelKey): Dealt | undefined {
    return this.#placing.deal(model, this.#clock.nowMs, () => true);
  }

  /** Devices that could take layers of the model now, and how much each has free for it. */
  candidates(model: ModelKey): readonly Candidate[] {
    return this.#placing.candidates(model, this.#clock.nowMs, () => true);
  }

  /** Of a proposal that came: whether this device would look at it, since it is the highest of its model or in use. */
  takesUp({ id }: Placement): boolean {
    if (!this.gossip.believes(id)) return false;
    const highest = this.book.highest(id.model);
    if (highest === undefined || comparePlacements(id, highest.placement.id) > 0) return true;
    return this.#use.ofPlacement(id) !== 'nobody';
  }

  /** Somebody who is live runs or holds the model, or could: all devices of its highest placement are live. */
  isCurrent(model: ModelKey): boolean {
    if (this.#use.ofModel(model) !== 'nobody') return true;
    const highest = this.book.highest(model);
    return highest?.placement.stages.every(({ device }) => this.view.isLive(device)) === true;
  }

  #take(input: Input<P>): void {
    switch (input.kind) {
      case 'tick':
        this.#tick();
        return;
      case 'beat':
        this.#heard(input.peer);
        return;
      case 'frame':
        this.#heard(input.peer);
        this.#frame(input.peer, input.frame);
        return;
      case 'control':
        this.#heard(input.peer);
        this.#control(input.peer, input.message);
        return;
      case 'computed':
        this.stages.computed(input);
        return;
      case 'stored':
        this.driver.stored(input.session, input.ticket);
        return;
      case 'link-open':
        this.#linked(input.peer);
        return;
      case 'connect-failed':
        // the other side's try may have come about meanwhile
        if (!this.links.isUp(input.peer)) this.#lost(input.peer);
        return;
      case 'link-closed':
        this.#lost(input.peer);
        return;
      case 'moving':
        this.stages.moving(input.peer, input.sessions);
        return;
      case 'present':
        if (this.#options.isMember(input.peer)) this.topology.present(input.peer, input.address);
        return;
      case 'removed':
        this.topology.removed(input.peer);
        this.links.letGo(input.peer);
        this.records.remove(input.peer);
        this.#unlinked(input.peer);
        return;
      case 'presence':
        this.#visible = input.visible;
        this.#wakeLock = input.wakeLock;
        this.#changed = true;
        return;
      case 'remember':
        for (const placement of input.placements) this.#learnPlacement(undefined, placement);
        return;
      case 'budget':
        this.#profile = { ...this.#profile, budgetBytes: input.bytes };
        this.holdings.profile = this.#profile;
        if (input.retainedBytes !== undefined) this.stages.retained.capBytes = input.retainedBytes;
        this.#changed = true;
        return;
      case 'leave':
        this.#leave();
        return;
      case 'return':
        this.#away = false;
        this.#rejoin();
        return;
      case 'answer':
        this.driver.answer(input);
        return;
      case 'stop':
        this.driver.stop(input.session);
        return;
      case 'forget':
        this.driver.forget(input.session);
        return;
      case 'place':
        this.#lay(input.model, input.stages);
        return;
      case 'restore':
        this.driver.restore(input.sessions);
        return;
      case 'stage-progress':
        this.holdings.progress(input.stage, input.doneBytes, input.totalBytes);
        return;
      case 'stage-ready':
        this.holdings.ready(input.stage);
        return;
      case 'stage-failed':
        this.stages.stageLost(input.stage);
        this.holdings.failed(input.stage);
        return;
      case 'stage-lost':
        this.stages.stageLost(input.stage);
        this.holdings.lost(input.stage);
        return;
      case 'slot-lost':
        this.stages.slotLost(input.slot, input.session);
        return;
      default:
        input satisfies never;
    }
  }

  // ---------- links and time ----------

  #tick(): void {
    const { nowMs } = this.#clock;
    if (this.#away) return;
    this.links.look(nowMs, (peer, event) => {
      if (event === 'suspected') return this.driver.suspected(peer);
      this.#effects.push({ kind: 'disconnect', peer });
      this.#lost(peer);
    });
    this.stages.tick();
    this.driver.look();
    this.#survey();
    this.#publish();
    this.gossip.flush();
    this.gossip.tick();
  }

  /** Sees to links and stages: once a second, at once where links, placements or what this device drives changed. */
  #survey(): void {
    const { nowMs } = this.#clock;
    const version = this.links.version + this.book.version;
    const isTime = nowMs - this.#surveyedMs >= SURVEY_MS;
    if (!isTime && version === this.#surveyedVersion && !this.driver.changed) return;
    this.#surveyedMs = nowMs;
    this.#surveyedVersion = version;
    this.topology.look();
    this.holdings.look(this.#options.device);
    if (this.holdings.progressed) this.#changed = true;
  }

  #heard(peer: DeviceId): void {
    this.links.heard(peer, this.#clock.nowMs);
  }

  #linked(peer: DeviceId): void {
    if (!this.#options.isMember(peer)) return;
    if (this.#away) {
      // else the peer would keep a link of which this device knows nothing when it is back
      this.#effects.push({ kind: 'disconnect', peer });
      return;
    }
    if (this.links.isUp(peer)) this.#unlinked(peer);
    this.links.opened(peer, this.#clock.nowMs);
    this.records.linked(peer);
    this.topology.opened(peer);
    this.#changed = true;
    this.#publish();
    this.gossip.sendDigest(peer);
  }

  /** Closed, silent, gone, or never came about. That a stranger went is of no interest. */
  #lost(peer: DeviceId): void {
    if (!this.#options.isMember(peer)) return;
    const wasUp = this.links.isUp(peer);
    this.links.lose(peer, this.#clock.nowMs);
    this.topology.closed(peer);
    if (wasUp) this.#unlinked(peer);
  }

  #unlinked(peer: DeviceId): void {
    this.records.unlinked(peer);
    this.gossip.unlinked(peer);
    this.stages.unlinked(peer);
    this.driver.unlinked(peer);
    this.#changed = true;
  }

  /** The device slept: it says how it is and asks what happened, before anything else. */
  #rejoin(): void {
    this.driver.rejoin();
    this.topology.rejoin();
    this.#changed = true;
    this.#publish();
    this.gossip.flush();
    for (const peer of this.links.up()) this.gossip.sendDigest(peer);
  }

  #leave(): void {
    this.#away = true;
    for (const peer of [...this.links.up()]) {
      this.#send(peer, { kind: 'goodbye' });
      this.#effects.push({ kind: 'disconnect', peer });
      this.links.letGo(peer);
      this.#unlinked(peer);
    }
  }

  // ---------- messages ----------

  #control(from: DeviceId, message: ControlMessage): void {
    switch (message.kind) {
      case 'gossip':
        for (const state of message.states) this.#learn(from, state);
        for (const placement of message.placements) this.#learnPlacement(from, placement);
        return;
      case 'digest':
        this.gossip.compare(from, message);
        return;
      case 'want':
        this.gossip.answer(from, message);
        return;
      case 'goodbye':
        this.#effects.push({ kind: 'disconnect', peer: from });
        this.#lost(from);
        return;
      case 'prepare':
        this.stages.prepare(from, message);
        return;
      case 'start':
        this.stages.start(from, message);
        return;
      case 'stop':
        this.stages.stop(from, message.session, message.attempt);
        return;
      case 'forget':
        this.stages.forget(from, message.session);
        return;
      case 'prepared':
        this.driver.prepared(from, message);
        return;
      case 'refused':
        this.driver.refused(from, message);
        return;
      case 'broken':
        this.driver.broken(from, message.session, message.attempt);
        return;
      default:
        message satisfies never;
    }
  }

  #frame(from: DeviceId, frame: Frame<P>): void {
    if (frame.slot === DRIVER_SLOT) this.driver.frame(from, frame);
    else this.stages.frame(from, frame);
  }

  /** Handles what the device said to itself, and what follows from it. */
  #settle(): void {
    const { device } = this.#options;
    // the queue grows while it is walked
    for (let i = 0; i < this.#toSelf.length; i++) {
      const one = this.#toSelf[i] as ToSelf<P>;
      if ('message' in one) this.#control(device, one.message);
      else this.#frame(device, one.frame);
    }
    this.#toSelf.length = 0;
    if (this.holdings.changed || this.#hasProposed) {
      if (this.holdings.changed) this.view.news++;
      this.#hasProposed = false;
      this.#publish();
      this.gossip.flush();
    }
    // what concerns a session is looked at now, the rest of what is new at the next tick
    const version = this.links.version + this.book.version + this.view.news;
    if (version !== this.#seenVersion && !this.#away) {
      this.#seenVersion = version;
      this.driver.look();
      if (this.#toSelf.length > 0) this.#settle();
    }
  }

  // ---------- gossip ----------

  #learn(from: DeviceId, state: DeviceState): void {
    const { device } = state;
    if (device === this.#options.device) {
      if (this.gossip.meetSelf(state)) this.#changed = true;
      return;
    }
    const heard = this.records.accept(state, from, this.#clock.nowMs);
    switch (heard) {
      case 'news':
        if (this.driver.needs(device)) this.view.news++;
        return;
      case 'for-itself':
        this.#send(device, { kind: 'gossip', states: [state], placements: [] });
        return;
      case 'doubtful':
        this.topology.seek([device]);
        return;
      case 'old':
        return;
      default:
        heard satisfies never;
    }
  }

  #learnPlacement(from: DeviceId | undefined, placement: Placement): void {
    if (from !== undefined && !this.gossip.believes(placement.id)) return;
    if (!this.book.add(placement, this.#clock.nowMs, from === undefined)) return;
    this.gossip.spread(placement, from);
    // what it means for stages that it does not name is seen to at the next tick
    if (placement.stages.some(({ device }) => device === this.#options.device)) {
      this.holdings.look(this.#options.device);
    }
  }

  /** A person wants the model on these devices: its round is above that of every other, for what is laid last answers. */
  #lay(model: ModelKey, stages: readonly StageAssignment[]): void {
    const epochs = [model, ...this.book.models()].map((each) => this.book.epochOf(each));
    const epoch = nextEpoch(Math.max(...epochs), this.gossip.incarnation);
    this.#takeUp({ model, epoch, proposer: this.#options.device }, stages, roundOf(epoch));
  }

  /** A driver needs the model there: when it was laid does not change by that. */
  #propose(model: ModelKey, stages: readonly StageAssignment[]): void {
    const epoch = nextEpoch(this.book.epochOf(model), this.gossip.incarnation);
    this.#takeUp({ model, epoch, proposer: this.#options.device }, stages, this.book.laidIn(model));
  }

  #takeUp(id: PlacementId, stages: readonly StageAssignment[], laid: number): void {
    this.#hasProposed = true;
    this.#learnPlacement(undefined, { id, stages, spares: [], laid });
  }

  /** Writes this device's record anew where it has changed. */
  #publish(): void {
    if (this.links.version !== this.#linksVersion || this.driver.changed || this.holdings.changed) this.#changed = true;
    if (!this.#changed || this.#away) return;
    this.#changed = false;
    this.driver.changed = false;
    this.holdings.changed = false;
    this.holdings.progressed = false;
    this.#linksVersion = this.links.version;
    const { device, address, name, version } = this.#options;
    this.gossip.publish({
      device,
      address,
      name,
      version,
      profile: this.#profile,
      freeBytes: Math.max(0, this.holdings.freeBytes),
      visible: this.#visible,
      wakeLock: this.#wakeLock,
      links: [...this.links.up()],
      lost: [...this.links.lost()].filter((peer) => this.#namesLost(peer)),
      stages: this.holdings.states(),
      driving: this.driver.driving(),
    });
  }

  #namesLost(peer: DeviceId): boolean {
    const since = this.links.lostSinceMs(peer) ?? 0;
    return this.#clock.nowMs - since < NAME_LOST_MS || this.view.isLive(peer);
  }

  // ---------- the way out ----------

  #send(device: DeviceId, message: ControlMessage): void {
    if (device === this.#options.device) this.#toSelf.push({ message });
    else if (this.links.isUp(device)) this.#effects.push({ kind: 'send', peer: device, message });
  }

  #sendFrame(device: DeviceId, frame: Frame<P>): void {
    if (device === this.#options.device) this.#toSelf.push({ frame });
    else if (this.links.isUp(device)) this.#effects.push({ kind: 'frame', peer: device, frame });
  }

  #post(): Post<P> {
    const node = this;
    return {
      device: this.#options.device,
      get nowMs() {
        return node.#clock.nowMs;
      },
      reaches: (device) => device === this.#options.device || this.links.isUp(device),
      emit: (effect) => this.#effects.push(effect),
      send: (device, message) => this.#send(device, message),
      sendFrame: (device, frame) => this.#sendFrame(device, frame),
    };
  }
}

const NOTHING: readonly never[] = [];
