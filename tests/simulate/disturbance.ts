import type { SimDevice } from './device.ts';
import { drawCut, drawFault, type Nap } from './faults.ts';
import type { Event, World } from './world.ts';

/** Makes faults happen to devices, and ends them. */
export class Disturbance {
  readonly #world: World;
  readonly #happen: (event: Event) => void;
  /** What waits for a device to wake. */
  readonly #deferred: Event[][];

  constructor(world: World, happen: (event: Event) => void) {
    this.#world = world;
    this.#happen = happen;
    this.#deferred = world.devices.map(() => []);
  }

  defer(device: SimDevice, event: Event): void {
    this.#deferred[device.index]?.push(event);
  }

  planFault(device: SimDevice): void {
    const inMs = this.#world.random.exponential(this.#world.constants.faultEverySeconds) * 1000;
    this.#world.push(this.#world.nowMs + inMs, { kind: 'fault', device, life: device.life });
  }

  fault(device: SimDevice): void {
    if (!device.runs || device.isCutOff) return;
    const kind = drawFault(this.#world.constants, this.#world.random);
    this.#world.tally.faults[kind] = (this.#world.tally.faults[kind] ?? 0) + 1;
    this.#world.trace(`${device.index} ${kind}`);
    const { outageSeconds, stallSeconds, reloadSeconds, goodbyeChance } = this.#world.constants;
    switch (kind) {
      case 'death':
        this.#countKill(device);
        this.#end(device, this.#world.random.logBetween(...outageSeconds));
        return;
      case 'reload':
        this.#countKill(device);
        if (this.#world.random.chance(goodbyeChance.reload)) this.#world.give(device, { kind: 'leave' });
        this.#end(device, this.#world.random.between(...reloadSeconds));
        return;
      case 'sleep': {
        const saidGoodbye = this.#world.random.chance(goodbyeChance.sleep);
        if (saidGoodbye) this.#world.give(device, { kind: 'leave' });
        if (saidGoodbye && this.#world.random.chance(this.#world.constants.runsOnChance)) {
          this.#hide(device);
          return;
        }
        this.#pause(device, this.#world.random.logBetween(...outageSeconds), {
          clockStands: this.#world.random.chance(this.#world.constants.clockStandsChance),
          loses: this.#world.random.chance(this.#world.constants.sleepLosesChance),
          saidGoodbye,
          beganMs: this.#world.nowMs,
        });
        return;
      }
      case 'stall':
        this.#pause(device, this.#world.random.logBetween(...stallSeconds), {
          clockStands: false,
          loses: false,
          saidGoodbye: false,
          beganMs: this.#world.nowMs,
        });
        return;
      case 'partition':
      case 'one-way':
        this.#cutOff(device, kind);
        return;
      case 'gpu':
        this.#loseGpu(device);
        device.undisturbedSinceMs = this.#world.nowMs;
        this.planFault(device);
        return;
      default:
        kind satisfies never;
    }
  }

  #end(device: SimDevice, seconds: number): void {
    device.end();
    this.#deferred[device.index] = [];
    for (const other of this.#world.devices) {
      if (other !== device)
        this.#world.network.close(this.#world.network.link(device.index, other.index), device.index);
    }
    this.#world.push(this.#world.nowMs + seconds * 1000, { kind: 'boot', device });
  }

  #pause(device: SimDevice, seconds: number, nap: Nap): void {
    device.isPaused = true;
    this.#world.push(this.#world.nowMs + seconds * 1000, { kind: 'wake', device, life: device.life, nap });
  }

  #hide(device: SimDevice): void {
    device.isHidden = true;
    const ms = this.#world.random.logBetween(...this.#world.constants.hiddenSeconds) * 1000;
    const nap = { clockStands: false, loses: false, saidGoodbye: true, beganMs: this.#world.nowMs };
    this.#world.push(this.#world.nowMs + ms, { kind: 'wake', device, life: device.life, nap });
  }

  wake(device: SimDevice, nap: Nap): void {
    device.isPaused = false;
    device.isHidden = false;
    this.#world.trace(`${device.index} wakes`);
    device.undisturbedSinceMs = this.#world.nowMs;
    if (nap.clockStands) device.skippedMs += this.#world.nowMs - nap.beganMs;
    const events = this.#deferred[device.index] ?? [];
    this.#deferred[device.index] = [];
    this.planFault(device);
    const { life } = device;
    if (nap.loses) {
      for (const other of this.#world.devices) {
        if (other === device) continue;
        const link = this.#world.network.link(device.index, other.index);
        if (!this.#world.network.isOpen(link, device.index)) continue;
        this.#world.network.close(link, device.index);
        if (!nap.saidGoodbye) this.#world.give(device, { kind: 'link-closed', peer: other.id });
      }
    }
    for (const event of events) if (device.life === life) this.#happen(event);
    if (nap.saidGoodbye && device.life === life) this.#world.give(device, { kind: 'return' });
  }

  #cutOff(device: SimDevice, kind: 'partition' | 'one-way'): void {
    const directions = drawCut(this.#world.constants, this.#world.random, device.index, kind === 'one-way');
    for (const [from, to] of directions) this.#world.network.block(from, to);
    device.isCutOff = true;
    const ms = this.#world.random.logBetween(...this.#world.constants.outageSeconds) * 1000;
    this.#world.push(this.#world.nowMs + ms, { kind: 'heal', device, directions });
  }

  #loseGpu(device: SimDevice): void {
    device.loads.clear();
    for (const { placement, first, last } of device.node?.holdings.states() ?? []) {
      this.#world.give(device, { kind: 'stage-lost', stage: { model: placement.model, first, last } });
    }
  }

  /** A page that ends while a running answer has a stage on it. */
  #countKill(device: SimDevice): void {
    for (const { node, runs } of this.#world.devices) {
      if (node === undefined || !runs) continue;
      for (const drive of node.driver.drives()) {
        if (drive.phase === 'running' && drive.uses(device.id)) {
          this.#world.tally.kills++;
          return;
        }
      }
    }
  }
}
