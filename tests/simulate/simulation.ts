import { TICK_MS } from '../../worker/mesh/room/constants.ts';
import type { ModelSizes } from '../../worker/mesh/room/io.ts';
import type { ControlMessage, StageKey } from '../../worker/mesh/room/messages.ts';
import { Audience } from './audience.ts';
import { Connections } from './connections.ts';
import type { Constants } from './constants.ts';
import { type Plant, SimDevice, type SimEffect, type SimInput } from './device.ts';
import { Disturbance } from './disturbance.ts';
import { Random } from './random.ts';
import type { Tally } from './tally.ts';
import { WATCH_MS, Watch } from './watch.ts';
import { type DeviceEvent, type Event, World } from './world.ts';

/** Part of a load at which a device says how far it is. */
const PROGRESS_AT = 0.55;

/** A room on virtual time: devices with the product's own code, links, faults, people, and a record of all. */
export class Simulation {
  readonly #world: World;
  readonly #models: ModelSizes;
  readonly #plant: Plant | undefined;
  readonly #watch: Watch;
  readonly #connections: Connections;
  readonly #disturbance: Disturbance;
  readonly #audience: Audience;
  readonly #proposed = new Set<string>();

  constructor(constants: Constants, plant?: Plant, trace?: (line: string) => void) {
    this.#plant = plant;
    const { layers, bytesALayer, slotsAStage } = constants;
    this.#models = {
      layers: () => layers,
      bytes: (_, first, last) => (last - first) * bytesALayer,
      slots: () => slotsAStage,
    };
    const draw = new Random(constants.seed, 3);
    const devices = Array.from({ length: constants.devices }, (_, index) => new SimDevice(index, constants, draw));
    this.#world = new World(constants, devices, (device, input) => this.#give(device, input), trace);
    const { network, tally } = this.#world;
    this.#watch = new Watch(constants, devices, network, tally, (text, { device, session }) =>
      this.#world.trace(`${device} ${session.slice(0, 4)} ${text}`),
    );
    this.#connections = new Connections(this.#world);
    this.#disturbance = new Disturbance(this.#world, (event) => this.#happen(event));
    this.#audience = new Audience(this.#world, this.#watch);
  }

  /** Runs all hours and the calm after them. */
  run(): Tally {
    const { devices, random, tally, faultsEndMs, constants } = this.#world;
    for (const device of devices) this.#world.push(random.between(0, 2000), { kind: 'boot', device });
    this.#world.push(WATCH_MS, { kind: 'watch' });
    const endMs = faultsEndMs + constants.calmSeconds * 1000;
    for (;;) {
      const event = this.#world.next(endMs);
      if (event === undefined) break;
      this.#happen(event);
      tally.events++;
      if (this.#world.nowMs > faultsEndMs && !this.#audience.isAnswering) break;
    }
    tally.answersLost += this.#audience.conversations.filter(({ isAnswering }) => isAnswering).length;
    return tally;
  }

  /** Something that happens to a device of the first generation at that time. */
  plan(atMs: number, index: number, input: SimInput): void {
    const device = this.devices[index] as SimDevice;
    this.#world.push(atMs, { kind: 'device', device, life: 0, event: { kind: 'input', input } });
  }

  get constants(): Constants {
    return this.#world.constants;
  }

  get tally(): Tally {
    return this.#world.tally;
  }

  get devices(): readonly SimDevice[] {
    return this.#world.devices;
  }

  get nowMs(): number {
    return this.#world.nowMs;
  }

  get mostWaitingBytes(): number {
    return this.#world.network.mostWaitingBytes;
  }

  get messages(): number {
    return this.#world.network.sent;
  }

  /** Connections of which the device that has them knows nothing, and links without one. */
  get strayLinks(): number {
    return this.#connections.strays;
  }

  #happen(event: Event): void {
    switch (event.kind) {
      case 'deliver': {
        const device = this.#world.devices[event.delivery.to] as SimDevice;
        if (device.isPaused) {
          this.#disturbance.defer(device, event);
          return;
        }
        const input = device.isUp ? this.#world.network.arrive(event.delivery) : undefined;
        if (input === undefined) return;
        if (input.kind === 'link-closed') this.#world.network.close(event.delivery.link, device.index);
        this.#give(device, input);
        return;
      }
      case 'departed': {
        const { link, to } = event.departure;
        const sender = this.#world.devices[to === link.low ? link.high : link.low] as SimDevice;
        // a page that stands still sends nothing
        if (sender.isPaused) this.#disturbance.defer(sender, event);
        else this.#world.network.departed(this.#world.nowMs, event.departure);
        return;
      }
      case 'device':
        if (event.device.life !== event.life) return;
        if (event.device.isPaused) this.#disturbance.defer(event.device, event);
        else this.#happenTo(event.device, event.event);
        return;
      case 'connected':
        this.#connections.connected(event.link);
        return;
      case 'fault':
        this.#watch.roomChanged();
        if (event.device.life === event.life && this.#world.nowMs < this.#world.faultsEndMs)
          this.#disturbance.fault(event.device);
        return;
      case 'wake':
        this.#watch.roomChanged();
        if (event.device.life === event.life) this.#disturbance.wake(event.device, event.nap);
        return;
      case 'boot':
        this.#watch.roomChanged();
        this.#boot(event.device);
        return;
      case 'heal':
        this.#watch.roomChanged();
        this.#world.trace(`${event.device.index} heals`);
        for (const [from, to] of event.directions) this.#world.network.unblock(this.#world.nowMs, from, to);
        event.device.isCutOff = false;
        event.device.undisturbedSinceMs = this.#world.nowMs;
        this.#disturbance.planFault(event.device);
        return;
      case 'watch':
        this.#watch.look(this.#audience.conversations, this.#world.nowMs);
        this.#world.push(this.#world.nowMs + WATCH_MS, event);
    }
  }

  #happenTo(device: SimDevice, event: DeviceEvent): void {
    switch (event.kind) {
      case 'tick':
        this.#connections.sendBeats(device);
        for (const input of this.#connections.moving(device)) this.#give(device, input);
        this.#give(device, TICK);
        this.#world.plan(device, TICK_MS, event);
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
        const totalBytes = (stage.last - stage.first) * this.#world.constants.bytesALayer;
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
        if (event.turn === event.conversation.turn && !event.conversation.isAnswering)
          this.#audience.ask(event.conversation);
    }
  }

  #give(device: SimDevice, input: SimInput): void {
    const { node, life } = device;
    if (node === undefined) return;
    const effects = node.handle(input, this.#world.nowMs - device.skippedMs);
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
        this.#connections.post(device, effect.peer, { kind: 'control', peer: device.id, message: effect.message });
        return;
      case 'frame':
        this.#connections.post(device, effect.peer, { kind: 'frame', peer: device.id, frame: effect.frame });
        return;
      case 'withdraw':
        this.#connections.withdraw(device, effect);
        return;
      case 'connect':
        this.#connections.connect(device, effect.peer);
        return;
      case 'disconnect':
        this.#connections.disconnect(device, effect.peer);
        return;
      case 'load': {
        this.#world.trace(`${device.index} load ${stageName(effect.stage)}`);
        const load = device.nextLoad++;
        this.#world.tally.loads++;
        device.loads.set(stageName(effect.stage), load);
        const ms = this.#world.random.between(...this.#world.constants.loadSeconds) * 1000;
        const { stage } = effect;
        this.#world.plan(device, ms * PROGRESS_AT, { kind: 'progress', stage, load });
        this.#world.plan(device, ms, { kind: 'loaded', stage, load });
        return;
      }
      case 'unload':
        this.#world.trace(`${device.index} unload ${stageName(effect.stage)}`);
        device.loads.delete(stageName(effect.stage));
        device.executor.unload(effect.stage);
        return;
      case 'begin':
        device.executor.begin(effect);
        return;
      case 'run':
        this.#world.tally.stepRows += effect.rows;
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
        const ms = this.#world.random.between(...this.#world.constants.storeMs);
        this.#world.plan(device, ms, { kind: 'stored', session: head.session, ticket, write });
        return;
      }
      case 'erase':
        device.disk.delete(effect.session);
        return;
      case 'tokens':
        this.#audience.tokens(effect.session, effect.tokens.length);
        return;
      case 'prefill':
        return;
      case 'answered':
        this.#audience.answered(device, effect.session, effect.finish === 'stopped');
        return;
      case 'status':
        this.#world.tally.statuses[effect.status.kind] = (this.#world.tally.statuses[effect.status.kind] ?? 0) + 1;
        this.#world.trace(`${device.index} ${effect.session.slice(0, 4)} ${JSON.stringify(effect.status)}`);
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
      this.#world.tally.proposals++;
      const places = stages.map((stage) => `${this.#world.byId.get(stage.device)?.index}:${stage.first}-${stage.last}`);
      this.#world.trace(`${device.index} proposes ${id.model} ${id.epoch}: ${places.join(' ')}`);
    }
  }

  #step(device: SimDevice): void {
    const step = device.executor.next();
    if (step === undefined) return;
    this.#world.tally.steps++;
    this.#world.plan(device, step.takesMs, { kind: 'step', results: step.results });
  }

  #boot(device: SimDevice): void {
    device.boot(this.#models, this.#plant);
    device.undisturbedSinceMs = this.#world.nowMs;
    this.#world.trace(`${device.index} boots with ${device.profile.budgetBytes / this.#world.constants.bytesALayer}`);
    this.#world.byId.set(device.id, device);
    this.#world.plan(device, this.#world.random.between(0, TICK_MS), { kind: 'tick' });
    this.#disturbance.planFault(device);
    this.#give(device, { kind: 'restore', sessions: [...device.disk.values()] });
    for (const other of this.#world.devices) {
      if (other === device || !other.isUp) continue;
      this.#give(device, { kind: 'present', peer: other.id, address: `${other.id}` });
      const input = { kind: 'present' as const, peer: device.id, address: `${device.id}` };
      this.#world.plan(other, 50, { kind: 'input', input });
    }
    this.#audience.returnTo(device);
  }
}

const TICK: SimInput = { kind: 'tick' };

function stageName({ model, first, last }: StageKey): string {
  return `${model} ${first} ${last}`;
}
