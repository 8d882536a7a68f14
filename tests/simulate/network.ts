import type { Input } from '../../worker/mesh/room/io.ts';
import type { Constants } from './constants.ts';
import { Lane } from './lane.ts';
import type { Random } from './random.ts';

type Arriving = Input<number[]>;

/** A link between two devices, low and high by index; each side has its own idea of whether it is open. */
export interface Link {
  readonly low: number;
  readonly high: number;
  readonly delayMs: number;
  /** Long frames that wait at their sender for the link's rate. */
  readonly laneToLow: Lane<Arriving>;
  readonly laneToHigh: Lane<Arriving>;
  /** Rises with each connection: what an older one carried is lost. */
  generation: number;
  openLow: boolean;
  openHigh: boolean;
  /** Messages keep their order: none arrives before the one before it. */
  lastToLow: number;
  lastToHigh: number;
  /** What a blocked direction holds back. */
  heldToLow: Arriving[];
  heldToHigh: Arriving[];
  /** Devices that asked for a connection that is under way. */
  asking: number[];
}

export interface Delivery {
  readonly link: Link;
  readonly generation: number;
  readonly to: number;
  readonly input: Arriving;
}

/** The long frame that went out of a lane, if it is still there. */
export interface Departure {
  readonly link: Link;
  readonly generation: number;
  readonly to: number;
  readonly lane: Lane<Arriving>;
  /** Of the lane's: what was on its way when it was emptied does not go. */
  readonly round: number;
}

/**
 * Virtual links: reliable and in order while they last, with delays and a rate; a direction that is blocked holds back.
 */
export class Network {
  readonly #devices: number;
  readonly #constants: Constants;
  readonly #random: Random;
  readonly #links: Link[];
  /** How many faults block a direction, by from * devices + to. */
  readonly #blocks: Uint16Array;
  /** When a pair was last blocked, in either direction. */
  readonly #blockedAt: Float64Array;
  readonly #schedule: (atMs: number, delivery: Delivery) => void;
  readonly #depart: (atMs: number, departure: Departure) => void;
  sent = 0;
  /** The most that ever waited at a sender for one link. */
  mostWaitingBytes = 0;

  constructor(
    constants: Constants,
    random: Random,
    schedule: (atMs: number, delivery: Delivery) => void,
    depart: (atMs: number, departure: Departure) => void,
  ) {
    this.#devices = constants.devices;
    this.#constants = constants;
    this.#random = random;
    this.#schedule = schedule;
    this.#depart = depart;
    this.#blocks = new Uint16Array(this.#devices ** 2);
    this.#blockedAt = new Float64Array(this.#devices ** 2).fill(Number.NEGATIVE_INFINITY);
    this.#links = [];
    for (let low = 0; low < this.#devices; low++) {
      for (let high = low + 1; high < this.#devices; high++) {
        const mbit = random.logBetween(...constants.linkMbit);
        this.#links[low * this.#devices + high] = {
          low,
          high,
          delayMs: random.between(...constants.linkMs),
          laneToLow: new Lane(mbit, constants.bytesARow),
          laneToHigh: new Lane(mbit, constants.bytesARow),
          generation: 0,
          openLow: false,
          openHigh: false,
          lastToLow: 0,
          lastToHigh: 0,
          heldToLow: [],
          heldToHigh: [],
          asking: [],
        };
      }
    }
  }

  link(a: number, b: number): Link {
    return this.#links[a < b ? a * this.#devices + b : b * this.#devices + a] as Link;
  }

  isOpen(link: Link, side: number): boolean {
    return side === link.low ? link.openLow : link.openHigh;
  }

  close(link: Link, side: number): void {
    if (side === link.low) link.openLow = false;
    else link.openHigh = false;
    (side === link.low ? link.laneToHigh : link.laneToLow).clear();
  }

  /** A new connection on both sides. */
  open(link: Link): void {
    link.generation++;
    link.openLow = true;
    link.openHigh = true;
    link.heldToLow = [];
    link.heldToHigh = [];
    link.laneToLow.clear();
    link.laneToHigh.clear();
  }

  send(nowMs: number, from: number, to: number, input: Arriving): void {
    const link = this.link(from, to);
    if (!this.isOpen(link, from)) return;
    this.sent++;
    if (input.kind === 'frame') {
      const lane = this.#lane(link, to);
      const goes = lane.takes(input.frame, input);
      if (goes === 'first') this.#begin(nowMs, link, to, lane);
      if (goes !== 'at-once') {
        this.mostWaitingBytes = Math.max(this.mostWaitingBytes, lane.bytes);
        return;
      }
    }
    this.#carry(nowMs, link, to, input);
  }

  /** The first of a lane is out, and the next one begins. */
  departed(nowMs: number, { link, generation, to, lane, round }: Departure): void {
    if (generation !== link.generation || round !== lane.round) return;
    const input = lane.shift();
    if (input !== undefined) this.#carry(nowMs, link, to, input);
    this.#begin(nowMs, link, to, lane);
  }

  withdraw(from: number, to: number, session: string, slot: number, attempt: number): void {
    this.#lane(this.link(from, to), to).withdraw(session, slot, attempt);
  }

  /** Sessions whose frames wait for a direction that carries something. */
  moving(from: number, to: number): string[] {
    return this.isBlocked(from, to) ? [] : this.#lane(this.link(from, to), to).sessions();
  }

  #lane(link: Link, to: number): Lane<Arriving> {
    return to === link.low ? link.laneToLow : link.laneToHigh;
  }

  #begin(nowMs: number, link: Link, to: number, lane: Lane<Arriving>): void {
    const { leavesInMs, round } = lane;
    if (leavesInMs !== undefined) {
      this.#depart(nowMs + leavesInMs, { link, generation: link.generation, to, lane, round });
    }
  }

  #carry(nowMs: number, link: Link, to: number, input: Arriving): void {
    const { jitterMs, lossChance, lossMs } = this.#constants;
    let at = nowMs + link.delayMs + this.#random.unit() * jitterMs;
    if (this.#random.unit() < lossChance) at += this.#random.between(...lossMs);
    if (to === link.low) {
      if (at < link.lastToLow) at = link.lastToLow;
      link.lastToLow = at;
    } else {
      if (at < link.lastToHigh) at = link.lastToHigh;
      link.lastToHigh = at;
    }
    this.#schedule(at, { link, generation: link.generation, to, input });
  }

  /** What a delivery brings to its receiver; undefined: it was lost with its connection, or is held back. */
  arrive({ link, generation, to, input }: Delivery): Arriving | undefined {
    if (generation !== link.generation || !this.isOpen(link, to)) return undefined;
    const from = to === link.low ? link.high : link.low;
    const held = to === link.low ? link.heldToLow : link.heldToHigh;
    if (this.isBlocked(from, to) || held.length > 0) {
      held.push(input);
      return undefined;
    }
    return input;
  }

  isBlocked(from: number, to: number): boolean {
    return (this.#blocks[from * this.#devices + to] as number) > 0;
  }

  isApart(a: number, b: number): boolean {
    return this.isBlocked(a, b) || this.isBlocked(b, a);
  }

  /** Whether they reached one another all the time since then. */
  reachedSince(a: number, b: number, sinceMs: number): boolean {
    const last = Math.max(
      this.#blockedAt[a * this.#devices + b] as number,
      this.#blockedAt[b * this.#devices + a] as number,
    );
    return !this.isApart(a, b) && last <= sinceMs;
  }

  block(from: number, to: number): void {
    (this.#blocks[from * this.#devices + to] as number)++;
  }

  unblock(nowMs: number, from: number, to: number): void {
    const at = from * this.#devices + to;
    (this.#blocks[at] as number)--;
    this.#blockedAt[at] = nowMs;
    if (this.isBlocked(from, to)) return;
    const link = this.link(from, to);
    const held = to === link.low ? link.heldToLow : link.heldToHigh;
    if (to === link.low) link.heldToLow = [];
    else link.heldToHigh = [];
    // now, and so before whatever was sent after them
    for (const input of held) this.#schedule(nowMs, { link, generation: link.generation, to, input });
  }
}
