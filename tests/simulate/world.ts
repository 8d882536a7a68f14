import type { StageKey } from '../../worker/mesh/room/messages.ts';
import type { Constants } from './constants.ts';
import type { SimDevice, SimInput } from './device.ts';
import { EventQueue } from './event-queue.ts';
import type { Computed } from './executor.ts';
import type { Direction, Nap } from './faults.ts';
import { type Delivery, type Departure, type Link, Network } from './network.ts';
import type { Conversation } from './people.ts';
import { Random } from './random.ts';
import { Tally } from './tally.ts';

/** Something that happens to a device while its page lives, and waits while it sleeps. */
export type DeviceEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'input'; readonly input: SimInput }
  | { readonly kind: 'step'; readonly results: readonly Computed[] }
  | { readonly kind: 'loaded'; readonly stage: StageKey; readonly load: number }
  | { readonly kind: 'progress'; readonly stage: StageKey; readonly load: number }
  | { readonly kind: 'stored'; readonly session: string; readonly ticket: number; readonly write: () => void }
  | { readonly kind: 'ask'; readonly conversation: Conversation; readonly turn: number };

/** What happens in the simulation. */
export type Event =
  | { readonly kind: 'deliver'; readonly delivery: Delivery }
  | { readonly kind: 'departed'; readonly departure: Departure }
  | { readonly kind: 'device'; readonly device: SimDevice; readonly life: number; readonly event: DeviceEvent }
  | { readonly kind: 'connected'; readonly link: Link }
  | { readonly kind: 'fault'; readonly device: SimDevice; readonly life: number }
  | { readonly kind: 'wake'; readonly device: SimDevice; readonly life: number; readonly nap: Nap }
  | { readonly kind: 'boot'; readonly device: SimDevice }
  | { readonly kind: 'heal'; readonly device: SimDevice; readonly directions: readonly Direction[] }
  | { readonly kind: 'watch' };

/** What devices, links, faults and people of a simulation share: its clock and events, chance, and the record of all. */
export class World {
  readonly constants: Constants;
  readonly tally = new Tally();
  readonly random: Random;
  readonly network: Network;
  readonly devices: readonly SimDevice[];
  /** Devices by the ids that they have had. */
  readonly byId = new Map<string, SimDevice>();
  nowMs = 0;
  /** From then on all is calm, and nobody asks anything more. */
  readonly faultsEndMs: number;
  readonly #queue = new EventQueue<Event>();
  readonly #trace: ((line: string) => void) | undefined;
  readonly #give: (device: SimDevice, input: SimInput) => void;

  /** @param give lets a device handle an input and carries out what it wants */
  constructor(
    constants: Constants,
    devices: readonly SimDevice[],
    give: (device: SimDevice, input: SimInput) => void,
    trace?: (line: string) => void,
  ) {
    this.constants = constants;
    this.devices = devices;
    this.#give = give;
    this.#trace = trace;
    this.random = new Random(constants.seed, 1);
    this.faultsEndMs = constants.hours * 3_600_000;
    this.network = new Network(
      constants,
      new Random(constants.seed, 2),
      (at, delivery) => this.push(at, { kind: 'deliver', delivery }),
      (at, departure) => this.push(at, { kind: 'departed', departure }),
    );
  }

  push(atMs: number, event: Event): void {
    this.#queue.push(atMs, event);
  }

  /** Something that happens to a device unless its page ends before. */
  plan(device: SimDevice, inMs: number, event: DeviceEvent): void {
    this.push(this.nowMs + inMs, { kind: 'device', device, life: device.life, event });
  }

  /** The next event, its time now; undefined when it would be after `endMs`. */
  next(endMs: number): Event | undefined {
    if (this.#queue.nextTime > endMs) return undefined;
    this.nowMs = this.#queue.nextTime;
    return this.#queue.pop();
  }

  give(device: SimDevice, input: SimInput): void {
    this.#give(device, input);
  }

  trace(text: string): void {
    this.#trace?.(`${(this.nowMs / 1000).toFixed(2)} ${text}`);
  }
}
