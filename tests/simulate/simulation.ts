import { TICK_MS } from '../../worker/mesh/room/constants.ts';
import type { ModelSizes } from '../../worker/mesh/room/io.ts';
import type { ControlMessage, StageKey } from '../../worker/mesh/room/messages.ts';
import type { Constants } from './constants.ts';
import { type Plant, SimDevice, type SimEffect, type SimInput } from './device.ts';
import { EventQueue } from './event-queue.ts';
import type { Computed } from './executor.ts';
import { type Direction, drawCut, drawFault, type Nap } from './faults.ts';
import { type Delivery, type Link, Network } from './network.ts';
import { Conversation } from './people.ts';
import { Random } from './random.ts';
import { Tally } from './tally.ts';
import { WATCH_MS, Watch } from './watch.ts';

/** Something that happens to a device while its page lives, and waits while it sleeps. */
type DeviceEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'input'; readonly input: SimInput }
  | { readonly kind: 'step'; readonly results: readonly Computed[] }
  | { readonly kind: 'loaded'; readonly stage: StageKey; readonly load: number }
  | { readonly kind: 'progress'; readonly stage: StageKey; readonly load: number }
  | { readonly kind: 'stored'; readonly session: string; readonly ticket: number; readonly write: () => void }
  | { readonly kind: 'ask'; readonly conversation: Conversation; readonly turn: number };

type Event =
  | { readonly kind: 'deliver'; readonly delivery: Delivery }
  | { readonly kind: 'device'; readonly device: SimDevice; readonly life: number; readonly event: DeviceEvent }
  | { readonly kind: 'connected'; readonly link: Link }
  | { readonly kind: 'fault'; readonly device: SimDevice; readonly life: number }
  | { readonly kind: 'wake'; readonly device: SimDevice; readonly life: number; readonly nap: Nap }
  | { readonly kind: 'boot'; readonly device: SimDevice }
  | { readonly kind: 'heal'; readonly device: SimDevice; readonly directions: readonly Direction[] }
  | { readonly kind: 'watch' };

/** Part of a load at which a device says how far it is. */
const PROGRESS_AT = 0.55;

/** A room on virtual time: devices with the product's own code, links, faults, people, and a record of all. */
export class Simulation {
  readonly constants: Constants;
  readonly tally = new Tally();
  readonly devices: SimDevice[];
  readonly conversations: Conversation[] = [];
  nowMs = 0;
  readonly #queue = new EventQueue<Event>();
  readonly #network: Network;
  readonly #random: Random;
  readonly #models: ModelSizes;
  readonly #plant: Plant | undefined;
  readonly #proposed = new Set<string>();
  readonly #bySession = new Map<string, Conversation>();
  readonly #byId = new Map<string, SimDevice>();
  /** What waits for a device to wake. */
  readonly #deferred: Event[][];
  /** When each device last sent something on each link, for beats: by from * devices + to. */
  readonly #saidMs: Float64Array;
  readonly #faultsEndMs: number;
  readonly #watch: Watch;
  #trace: ((line: string) => void) | undefined;

  constructor(constants: Constants, plant?: Plant, trace?: (line: string) => void) {
    this.constants = constants;
    this.#plant = plant;
    this.#trace = trace;
    this.#random = new Random(constants.seed, 1);
    this.#network = new Network(constants, new Random(constants.seed, 2), (at, delivery) =>
      this.#queue.push(at, { kind: 'deliver', delivery }),
    );
    const { layers, bytesALayer, slotsAStage } = constants;
    this.#models = {
      layers: () => layers,
      bytes: (_, first, last) => (last - first) * bytesALayer,
      slots: () => slotsAStage,
    };
    const draw = new Random(constants.seed, 3);
    this.devices = Array.from({ length: constants.devices }, (_, index) => new SimDevice(index, constants, draw));
    this.#watch = new Watch(constants, this.devices, this.#network, this.tally, (text, { device, session }) =>
      this.#trace?.(`${this.#clock()} ${device} ${session.slice(0, 4)} ${text}`),
    );
    this.#deferred = this.devices.map(() => []);
    this.#saidMs = new Float64Array(constants.devices ** 2);
    this.#faultsEndMs = constants.hours * 3_600_000;
    for (const device of this.devices) {
      if (!device.drives) continue;
      for (let i = 0; i < constants.sessionsADevice; i++) {
        const model = `${constants.modelName}${device.index % constants.models}`;
        const random = new Random(constants.seed, 100_000 + device.index * 100 + i);
        this.conversations.push(new Conversation(device.index, model, constants, random));
      }
    }
  }

  /** Runs all hours and the calm after them. */
  run(): Tally {
    for (const device of this.devices) this.#queue.push(this.#random.between(0, 2000), { kind: 'boot', device });
    this.#queue.push(WATCH_MS, { kind: 'watch' });
    const endMs = this.#faultsEndMs + this.constants.calmSeconds * 1000;
    while (this.#queue.nextTime <= endMs) {
      this.nowMs = this.#queue.nextTime;
      this.#happen(this.#queue.pop() as Event);
      this.tally.events++;
      if (this.nowMs > this.#faultsEndMs && this.conversations.every(({ isAnswering }) => !isAnswering)) break;
    }
    this.tally.answersLost += this.conversations.filter(({ isAnswering }) => isAnswering).length;
    return this.tally;
  }

  /** Something that happens to a device of the first generation at that time. */
  plan(atMs: number, device: number, input: SimInput): void {
    const one = this.devices[device] as SimDevice;
    this.#queue.push(atMs, { kind: 'device', device: one, life: 0, event: { kind: 'input', input } });
  }

  get messages(): number {
    return this.#network.sent;
  }

  // ---------- events ----------

  #happen(event: Event): void {
    switch (event.kind) {
      case 'deliver': {
        const device = this.devices[event.delivery.to] as SimDevice;
        if (device.isPaused) {
          this.#defer(device, event);
          return;
        }
        const input = device.isUp ? this.#network.arrive(event.delivery) : undefined;
        if (input === undefined) return;
        if (input.kind === 'link-closed') this.#network.close(event.delivery.link, device.index);
        this.#give(device, input);
        return;
      }
      case 'device':
        if (event.device.life !== event.life) return;
        if (event.device.isPaused) this.#defer(event.device, event);
        else this.#happenTo(event.device, event.event);
        return;
      case 'connected':
        this.#connected(event.link);
        return;
      case 'fault':
        this.#watch.roomChanged();
        if (event.device.life === event.life && this.nowMs < this.#faultsEndMs) this.#fault(event.device);
        return;
      case 'wake':
        this.#watch.roomChanged();
        if (event.device.life === event.life) this.#wake(event.device, event.nap);
        return;
      case 'boot':
        this.#watch.roomChanged();
        this.#boot(event.device);
        return;
      case 'heal':
        this.#watch.roomChanged();
        this.#trace?.(`${this.#clock()} ${event.device.index} heals`);
        for (const [from, to] of event.directions) this.#network.unblock(this.nowMs, from, to);
        event.device.isCutOff = false;
        event.device.undisturbedSinceMs = this.nowMs;
        this.#planFault(event.device);
        return;
      case 'watch':
        this.#watch.look(this.conversations, this.nowMs);
        this.#queue.push(this.nowMs + WATCH_MS, event);
    }
  }

  #happenTo(device: SimDevice, event: DeviceEvent): void {
    switch (event.kind) {
      case 'tick':
        this.#sendBeats(device);
        this.#give(device, TICK);
        this.#plan(device, TICK_MS, event);
        return;
      case 'input':
        this.#give(device, event.input);
        return;
      case 'step':
        device.executor.done();
        for (const result of event.results) this.#give(device, result);
        this.#step(device);
        return;
      case 'progress': {
        const { stage, load } = event;
        if (device.loads.get(stageName(stage)) !== load) return;
        const totalBytes = (stage.last - stage.first) * this.constants.bytesALayer;
        this.#give(device, {
          kind: 'stage-progress',
          stage,
          doneBytes: Math.floor(totalBytes * PROGRESS_AT),
          totalBytes,
        });
        return;
      }
      case 'loaded': {
        const key = stageName(event.stage);
        if (device.loads.get(key) !== event.load) return;
        device.loads.delete(key);
        this.#give(device, { kind: 'stage-ready', stage: event.stage });
        return;
      }
      case 'stored':
        event.write();
        this.#give(device, { kind: 'stored', session: event.session, ticket: event.ticket });
        return;
      case 'ask':
        if (event.turn === event.conversation.turn && !event.conversation.isAnswering) this.#ask(event.conversation);
    }
  }

  #defer(device: SimDevice, event: Event): void {
    this.#deferred[device.index]?.push(event);
  }

  #plan(device: SimDevice, inMs: number, event: DeviceEvent): void {
    this.#queue.push(this.nowMs + inMs, { kind: 'device', device, life: device.life, event });
  }

  // ---------- the host ----------

  #give(device: SimDevice, input: SimInput): void {
    const { node, life } = device;
    if (node === undefined) return;
    const effects = node.handle(input, this.nowMs - device.skippedMs);
    for (const effect of effects) {
      if (device.life !== life) return;
      this.#carryOut(device, effect);
    }
    if (effects.length > 0) this.#step(device);
  }

  #carryOut(device: SimDevice, effect: SimEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#noteProposals(device, effect.message);
        this.#post(device, effect.peer, { kind: 'control', peer: device.id, message: effect.message });
        return;
      case 'frame':
        this.#post(device, effect.peer, { kind: 'frame', peer: device.id, frame: effect.frame });
        return;
      case 'connect':
        this.#connect(device, effect.peer);
        return;
      case 'disconnect':
        this.#disconnect(device, effect.peer);
        return;
      case 'load': {
        this.#trace?.(`${this.#clock()} ${device.index} load ${stageName(effect.stage)}`);
        const load = device.nextLoad++;
        this.tally.loads++;
        device.loads.set(stageName(effect.stage), load);
        const ms = this.#random.between(...this.constants.loadSeconds) * 1000;
        const { stage } = effect;
        this.#plan(device, ms * PROGRESS_AT, { kind: 'progress', stage, load });
        this.#plan(device, ms, { kind: 'loaded', stage, load });
        return;
      }
      case 'unload':
        this.#trace?.(`${this.#clock()} ${device.index} unload ${stageName(effect.stage)}`);
        device.loads.delete(stageName(effect.stage));
        device.executor.unload(effect.stage);
        return;
      case 'begin':
        device.executor.begin(effect);
        return;
      case 'run':
        this.tally.stepRows += effect.rows;
        device.executor.run(effect);
        return;
      case 'halt':
      case 'free':
        device.executor.halt(effect.slot);
        return;
      case 'store': {
        const { head, from, tokens, ticket } = effect;
        const write = () => {
          const before = device.disk.get(head.session)?.tokens ?? [];
          before.length = Math.min(before.length, from);
          for (const token of tokens) before.push(token);
          device.disk.set(head.session, { head, tokens: before });
        };
        const ms = this.#random.between(...this.constants.storeMs);
        this.#plan(device, ms, { kind: 'stored', session: head.session, ticket, write });
        return;
      }
      case 'erase':
        device.disk.delete(effect.session);
        return;
      case 'tokens':
        this.#tokens(effect.session, effect.tokens.length);
        return;
      case 'prefill':
        return;
      case 'answered':
        this.#answered(device, effect.session, effect.finish === 'stopped');
        return;
      case 'status':
        this.tally.statuses[effect.status.kind] = (this.tally.statuses[effect.status.kind] ?? 0) + 1;
        this.#trace?.(
          `${this.#clock()} ${device.index} ${effect.session.slice(0, 4)} ${JSON.stringify(effect.status)}`,
        );
        return;
      default:
        effect satisfies never;
    }
  }

  #noteProposals(device: SimDevice, message: ControlMessage): void {
    if (message.kind !== 'gossip') return;
    for (const { id, stages } of message.placements) {
      const name = `${id.model} ${id.epoch} ${id.proposer}`;
      if (id.proposer !== device.id || this.#proposed.has(name)) continue;
      this.#proposed.add(name);
      this.tally.proposals++;
      const places = stages.map((stage) => `${this.#byId.get(stage.device)?.index}:${stage.first}-${stage.last}`);
      this.#trace?.(`${this.#clock()} ${device.index} proposes ${id.model} ${id.epoch}: ${places.join(' ')}`);
    }
  }

  #step(device: SimDevice): void {
    const step = device.executor.next();
    if (step === undefined) return;
    this.tally.steps++;
    this.#plan(device, step.takesMs, { kind: 'step', results: step.results });
  }

  // ---------- links ----------

  #post(device: SimDevice, peer: string, input: SimInput): void {
    const to = this.#byId.get(peer);
    if (to === undefined) return;
    this.#saidMs[device.index * this.constants.devices + to.index] = this.nowMs;
    this.#network.send(this.nowMs, device.index, to.index, input);
  }

  #sendBeats(device: SimDevice): void {
    const { node, index, id } = device;
    if (node === undefined) return;
    const beat: SimInput = { kind: 'beat', peer: id };
    for (const peer of node.links.up()) {
      const to = this.#byId.get(peer);
      if (to === undefined) continue;
      const at = index * this.constants.devices + to.index;
      if (this.nowMs - (this.#saidMs[at] as number) < TICK_MS - 1) continue;
      this.#saidMs[at] = this.nowMs;
      this.#network.send(this.nowMs, index, to.index, beat);
    }
  }

  #connect(device: SimDevice, peer: string): void {
    const to = this.#byId.get(peer);
    if (to === undefined || to.id !== peer) {
      // nobody is there under that name any more
      const input = { kind: 'connect-failed' as const, peer };
      this.#plan(device, this.constants.connectFailsMs, { kind: 'input', input });
      return;
    }
    const link = this.#network.link(device.index, to.index);
    link.asking.push(device.index);
    if (link.asking.length > 1) return;
    this.#queue.push(this.nowMs + this.#random.between(...this.constants.connectMs), { kind: 'connected', link });
  }

  #connected(link: Link): void {
    const low = this.devices[link.low] as SimDevice;
    const high = this.devices[link.high] as SimDevice;
    const asking = link.asking.splice(0);
    if (!low.runs || !high.runs || this.#network.isApart(low.index, high.index)) {
      this.#trace?.(`${this.#clock()} ${link.low} ${link.high} not linked`);
      for (const index of new Set(asking)) {
        const asker = this.devices[index] as SimDevice;
        const peer = (asker === low ? high : low).id;
        if (!asker.isUp) continue;
        const input = { kind: 'connect-failed' as const, peer };
        this.#plan(asker, this.constants.connectFailsMs, { kind: 'input', input });
      }
      return;
    }
    const { openLow, openHigh } = link;
    this.#trace?.(`${this.#clock()} ${link.low} ${link.high} linked`);
    this.#network.open(link);
    this.tally.linksOpened++;
    if (openLow) this.#give(low, { kind: 'link-closed', peer: high.id });
    if (openHigh) this.#give(high, { kind: 'link-closed', peer: low.id });
    this.#give(low, { kind: 'link-open', peer: high.id });
    this.#give(high, { kind: 'link-open', peer: low.id });
  }

  #disconnect(device: SimDevice, peer: string): void {
    const to = this.#byId.get(peer);
    if (to === undefined) return;
    const link = this.#network.link(device.index, to.index);
    this.#trace?.(`${this.#clock()} ${device.index} disconnects ${to.index}`);
    // the other side hears of it if it can, after what was sent before
    this.#network.send(this.nowMs, device.index, to.index, { kind: 'link-closed', peer: device.id });
    this.#network.close(link, device.index);
  }

  // ---------- faults ----------

  #planFault(device: SimDevice): void {
    const inMs = this.#random.exponential(this.constants.faultEverySeconds) * 1000;
    this.#queue.push(this.nowMs + inMs, { kind: 'fault', device, life: device.life });
  }

  #fault(device: SimDevice): void {
    if (!device.runs || device.isCutOff) return;
    const kind = drawFault(this.constants, this.#random);
    this.tally.faults[kind] = (this.tally.faults[kind] ?? 0) + 1;
    this.#trace?.(`${this.#clock()} ${device.index} ${kind}`);
    const { outageSeconds, stallSeconds, reloadSeconds, goodbyeChance } = this.constants;
    switch (kind) {
      case 'death':
        this.#countKill(device);
        this.#end(device, this.#random.logBetween(...outageSeconds));
        return;
      case 'reload':
        this.#countKill(device);
        if (this.#random.chance(goodbyeChance.reload)) this.#give(device, { kind: 'leave' });
        this.#end(device, this.#random.between(...reloadSeconds));
        return;
      case 'sleep': {
        const saidGoodbye = this.#random.chance(goodbyeChance.sleep);
        if (saidGoodbye) this.#give(device, { kind: 'leave' });
        this.#pause(device, this.#random.logBetween(...outageSeconds), {
          clockStands: this.#random.chance(this.constants.clockStandsChance),
          loses: this.#random.chance(this.constants.sleepLosesChance),
          saidGoodbye,
          beganMs: this.nowMs,
        });
        return;
      }
      case 'stall':
        this.#pause(device, this.#random.logBetween(...stallSeconds), {
          clockStands: false,
          loses: false,
          saidGoodbye: false,
          beganMs: this.nowMs,
        });
        return;
      case 'partition':
      case 'one-way':
        this.#cutOff(device, kind);
        return;
      case 'gpu':
        this.#loseGpu(device);
        device.undisturbedSinceMs = this.nowMs;
        this.#planFault(device);
        return;
      default:
        kind satisfies never;
    }
  }

  #end(device: SimDevice, seconds: number): void {
    device.end();
    this.#deferred[device.index] = [];
    for (const other of this.devices) {
      if (other !== device) this.#network.close(this.#network.link(device.index, other.index), device.index);
    }
    this.#queue.push(this.nowMs + seconds * 1000, { kind: 'boot', device });
  }

  #pause(device: SimDevice, seconds: number, nap: Nap): void {
    device.isPaused = true;
    this.#queue.push(this.nowMs + seconds * 1000, { kind: 'wake', device, life: device.life, nap });
  }

  #wake(device: SimDevice, nap: Nap): void {
    device.isPaused = false;
    this.#trace?.(`${this.#clock()} ${device.index} wakes`);
    device.undisturbedSinceMs = this.nowMs;
    if (nap.clockStands) device.skippedMs += this.nowMs - nap.beganMs;
    const events = this.#deferred[device.index] ?? [];
    this.#deferred[device.index] = [];
    this.#planFault(device);
    const { life } = device;
    if (nap.loses) {
      for (const other of this.devices) {
        if (other === device) continue;
        const link = this.#network.link(device.index, other.index);
        if (!this.#network.isOpen(link, device.index)) continue;
        this.#network.close(link, device.index);
        if (!nap.saidGoodbye) this.#give(device, { kind: 'link-closed', peer: other.id });
      }
    }
    for (const event of events) if (device.life === life) this.#happen(event);
    if (nap.saidGoodbye && device.life === life) this.#give(device, { kind: 'return' });
  }

  #cutOff(device: SimDevice, kind: 'partition' | 'one-way'): void {
    const directions = drawCut(this.constants, this.#random, device.index, kind === 'one-way');
    for (const [from, to] of directions) this.#network.block(from, to);
    device.isCutOff = true;
    const ms = this.#random.logBetween(...this.constants.outageSeconds) * 1000;
    this.#queue.push(this.nowMs + ms, { kind: 'heal', device, directions });
  }

  #loseGpu(device: SimDevice): void {
    device.loads.clear();
    for (const { placement, first, last } of device.node?.holdings.states() ?? []) {
      this.#give(device, { kind: 'stage-lost', stage: { model: placement.model, first, last } });
    }
  }

  /** A page that ends while a running answer has a stage on it. */
  #countKill(device: SimDevice): void {
    for (const { node, runs } of this.devices) {
      if (node === undefined || !runs) continue;
      for (const drive of node.driver.drives()) {
        if (drive.phase === 'running' && drive.uses(device.id)) {
          this.tally.kills++;
          return;
        }
      }
    }
  }

  #boot(device: SimDevice): void {
    device.boot(this.#models, this.#plant);
    device.undisturbedSinceMs = this.nowMs;
    this.#trace?.(
      `${this.#clock()} ${device.index} boots with ${device.profile.budgetBytes / this.constants.bytesALayer}`,
    );
    this.#byId.set(device.id, device);
    this.#plan(device, this.#random.between(0, TICK_MS), { kind: 'tick' });
    this.#planFault(device);
    this.#give(device, { kind: 'restore', sessions: [...device.disk.values()] });
    for (const other of this.devices) {
      if (other === device || !other.isUp) continue;
      this.#give(device, { kind: 'present', peer: other.id, address: `${other.id}` });
      const input = { kind: 'present' as const, peer: device.id, address: `${device.id}` };
      this.#plan(other, 50, { kind: 'input', input });
    }
    for (const conversation of this.conversations) {
      if (conversation.device === device.index) this.#resume(device, conversation);
    }
  }

  // ---------- people ----------

  #resume(device: SimDevice, conversation: Conversation): void {
    if (!conversation.isAnswering) {
      this.#planAsk(conversation);
      return;
    }
    const stored = device.disk.get(conversation.session);
    if (stored?.head.answering && startsWith(stored.tokens, conversation.prompt)) return;
    const isDone =
      stored !== undefined &&
      !stored.head.answering &&
      startsWith(stored.tokens, conversation.prompt) &&
      stored.tokens.length > conversation.prompt.length;
    if (isDone) {
      this.#answered(device, conversation.session, conversation.stopsAt < Number.POSITIVE_INFINITY);
      return;
    }
    // the page went before the question was on its disk: the person asks again
    this.tally.answersAskedAgain++;
    this.#question(device, conversation);
  }

  #planAsk(conversation: Conversation): void {
    if (this.nowMs >= this.#faultsEndMs) return;
    const device = this.devices[conversation.device] as SimDevice;
    const ms = this.#random.between(...this.constants.thinkSeconds) * 1000;
    this.#plan(device, ms, { kind: 'ask', conversation, turn: conversation.turn });
  }

  #ask(conversation: Conversation): void {
    const device = this.devices[conversation.device] as SimDevice;
    const given = conversation.ask();
    if (given !== undefined) {
      this.#bySession.delete(given);
      this.#give(device, { kind: 'forget', session: given });
    }
    this.#bySession.set(conversation.session, conversation);
    conversation.askedMs = this.nowMs;
    conversation.lastTokenMs = this.nowMs;
    conversation.driverOutMs = 0;
    conversation.noRoomMs = 0;
    this.#question(device, conversation);
  }

  #question(device: SimDevice, { session, model, prompt, maxTokens, seed }: Conversation): void {
    const sampler = { seed };
    this.#give(device, { kind: 'answer', session, model, tokens: prompt, maxTokens, stopTokens: [], sampler });
  }

  #tokens(session: string, count: number): void {
    const conversation = this.#bySession.get(session);
    if (conversation === undefined) return;
    this.tally.tokens += count;
    this.#watch.endGap(conversation, this.nowMs);
    const device = this.devices[conversation.device] as SimDevice;
    for (const drive of device.node?.driver.drives() ?? []) {
      if (drive.session !== session) continue;
      const stages = drive.known?.placement.stages.length ?? 0;
      this.tally.tokensByStages[stages] = (this.tally.tokensByStages[stages] ?? 0) + count;
    }
    if (conversation.stopsAt <= 0) return;
    conversation.stopsAt -= count;
    if (conversation.stopsAt <= 0) this.#plan(device, 1, { kind: 'input', input: { kind: 'stop', session } });
  }

  #answered(device: SimDevice, session: string, wasStopped: boolean): void {
    const conversation = this.#bySession.get(session);
    if (conversation === undefined || !conversation.isAnswering) return;
    const tokens = device.disk.get(session)?.tokens ?? [];
    const wrong = conversation.firstWrong(tokens);
    if (wrong >= 0) {
      this.tally.wrongTokens++;
      this.#trace?.(`${this.#clock()} ${device.index} ${session.slice(0, 4)} wrong at ${wrong} of ${tokens.length}`);
    }
    const isWhole = tokens.length === conversation.prompt.length + conversation.maxTokens;
    if (isWhole) this.tally.answersCompleted++;
    else if (wasStopped) this.tally.answersStopped++;
    else this.tally.answersLost++;
    this.tally.answeringSeconds += (this.nowMs - conversation.askedMs) / 1000;
    conversation.isAnswering = false;
    conversation.answered = [...tokens];
    this.#planAsk(conversation);
  }

  #clock(): string {
    return (this.nowMs / 1000).toFixed(2);
  }
}

const TICK: SimInput = { kind: 'tick' };

function stageName({ model, first, last }: StageKey): string {
  return `${model} ${first} ${last}`;
}

function startsWith(tokens: readonly number[], prompt: readonly number[]): boolean {
  return tokens.length >= prompt.length && prompt.every((token, i) => tokens[i] === token);
}
