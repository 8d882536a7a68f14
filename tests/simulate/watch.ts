import type { Constants } from './constants.ts';
import type { SimDevice } from './device.ts';
import type { Network } from './network.ts';
import type { Conversation } from './people.ts';
import type { Tally } from './tally.ts';

export const WATCH_MS = 500;

/** Sees how long answers wait, and whether anybody could have served them meanwhile. */
export class Watch {
  readonly #constants: Constants;
  readonly #devices: readonly SimDevice[];
  readonly #network: Network;
  readonly #tally: Tally;
  readonly #trace: (text: string, conversation: Conversation) => void;
  /** By device: whether it reaches room now. */
  #roomNow: (boolean | undefined)[] = [];
  #nowMs = 0;

  constructor(
    constants: Constants,
    devices: readonly SimDevice[],
    network: Network,
    tally: Tally,
    trace: (text: string, conversation: Conversation) => void,
  ) {
    this.#constants = constants;
    this.#devices = devices;
    this.#network = network;
    this.#tally = tally;
    this.#trace = trace;
  }

  /** A fault began or ended. */
  roomChanged(): void {
    this.#roomNow = [];
  }

  /** To be called every 500 ms. */
  look(conversations: readonly Conversation[], nowMs: number): void {
    this.#nowMs = nowMs;
    for (const conversation of conversations) {
      const waitedMs = this.#nowMs - conversation.lastTokenMs;
      if (!conversation.isAnswering || waitedMs < WATCH_MS) continue;
      const device = this.#devices[conversation.device] as SimDevice;
      if (!device.runs) conversation.driverOutMs += WATCH_MS;
      else if (waitedMs >= this.#constants.stallFromSeconds * 1000 && !this.#hasRoom(device, this.#nowMs)) {
        conversation.noRoomMs += WATCH_MS;
      }
      if (waitedMs < this.#constants.stuckSeconds * 1000 || conversation.isStuck) continue;
      if (this.#hasRoom(device, this.#nowMs - this.#constants.stuckSeconds * 1000)) {
        conversation.isStuck = true;
        this.#tally.stuck++;
        this.#trace('stuck', conversation);
      }
    }
  }

  /** Time without a token ends: a stall if it was long, leaving out when the driver itself was away or nobody had room. */
  endGap(conversation: Conversation, nowMs: number): void {
    this.#nowMs = nowMs;
    const { driverOutMs, noRoomMs, lastTokenMs } = conversation;
    const gapMs = this.#nowMs - lastTokenMs;
    const stallMs = gapMs - driverOutMs - noRoomMs;
    if (stallMs > this.#constants.stallFromSeconds * 1000) {
      this.#tally.stallSeconds.push(stallMs / 1000);
      this.#trace(`stalled ${stallMs / 1000}`, conversation);
    } else if (this.#tally.tokens % 64 === 0) this.#tally.lapMs.push(gapMs);
    const seconds = (gapMs - driverOutMs) / 1000;
    if (seconds > this.#tally.longestWithoutTokenSeconds) this.#tally.longestWithoutTokenSeconds = seconds;
    this.#tally.driverOutSeconds += driverOutMs / 1000;
    this.#tally.noRoomSeconds += noRoomMs / 1000;
    conversation.driverOutMs = 0;
    conversation.noRoomMs = 0;
    conversation.lastTokenMs = this.#nowMs;
    conversation.isStuck = false;
  }

  /**
   * Whether devices that ran and reached one another all the time since then, the driver among them, have room for
   * every model that one of them drives.
   */
  #hasRoom(driver: SimDevice, sinceMs: number): boolean {
    if (sinceMs < this.#nowMs) return this.#findRoom(driver, sinceMs, this.#constants.stuckSpare);
    const cached = this.#roomNow[driver.index];
    if (cached !== undefined) return cached;
    const hasRoom = this.#findRoom(driver, sinceMs, 1);
    this.#roomNow[driver.index] = hasRoom;
    return hasRoom;
  }

  #findRoom(driver: SimDevice, sinceMs: number, spare: number): boolean {
    const isGood = (device: SimDevice) =>
      device.runs && (sinceMs >= this.#nowMs || device.undisturbedSinceMs <= sinceMs);
    if (!isGood(driver)) return false;
    const reached = (a: SimDevice, b: SimDevice) => this.#network.reachedSince(a.index, b.index, sinceMs);
    let group = this.#devices.filter((device) => device === driver || (isGood(device) && reached(device, driver)));
    for (;;) {
      let worst: SimDevice | undefined;
      let most = 0;
      for (const device of group) {
        if (device === driver) continue;
        const apart = group.filter((other) => other !== device && !reached(other, device)).length;
        if (apart > most) {
          most = apart;
          worst = device;
        }
      }
      if (worst === undefined) break;
      group = group.filter((device) => device !== worst);
    }
    const models = new Set<string>();
    let bytes = 0;
    for (const device of group) {
      bytes += device.profile.budgetBytes;
      if (device.drives) models.add(`${this.#constants.modelName}${device.index % this.#constants.models}`);
    }
    return bytes >= models.size * this.#constants.layers * this.#constants.bytesALayer * spare;
  }
}
