import type { DeviceId } from '../types.ts';
import type { Digest } from './digest.ts';
import { INCARNATIONS } from './placement-order.ts';

/** A proposal is at most so much higher than what most peers know, of any model. */
const NEAR_EPOCHS = 1000 * INCARNATIONS;
/** What is taken whoever says so: far below what messages hold, so that there always is a next. */
const FIRST_EPOCHS = 2 ** 40;

/**
 * How high an epoch may be to be believed. One member could name one that nobody can outdo: what most linked peers say
 * in their digests bounds it, so that whoever was told otherwise, or slept, finds back to the others.
 */
export class EpochBounds {
  /** The highest epoch that each linked peer knows, by its last digest; none: it knows no placement. */
  readonly #said = new Map<DeviceId, number>();
  /** Of a digest that comes in several messages, as far as it came. */
  readonly #coming = new Map<DeviceId, number>();

  heard(peer: DeviceId, { placements, models }: Digest): void {
    const isFirst = models === undefined || models[0] === null;
    const isLast = models === undefined || models[1] === null;
    const before = isFirst ? 0 : (this.#coming.get(peer) ?? 0);
    const highest = placements.reduce((most, { epoch }) => Math.max(most, epoch), before);
    if (!isLast) this.#coming.set(peer, highest);
    else {
      this.#coming.delete(peer);
      if (highest > 0) this.#said.set(peer, highest);
      else this.#said.delete(peer);
    }
  }

  unlinked(peer: DeviceId): void {
    this.#said.delete(peer);
    this.#coming.delete(peer);
  }

  /**
   * The highest epoch of a proposal that is taken.
   * @param own the highest that this device knows, of any model; 0: none
   */
  mostTaken(own: number): number {
    const said = this.#sorted();
    // of an even number of peers the lower half
    const known = said[(said.length - 1) >> 1] ?? own;
    if (known === 0) return FIRST_EPOCHS;
    return Math.min(known + NEAR_EPOCHS, Math.max(FIRST_EPOCHS, own + NEAR_EPOCHS));
  }

  /** The highest epoch that is kept: what is above was believed before others could say otherwise. */
  get mostKept(): number {
    const said = this.#sorted();
    const known = said[said.length >> 1];
    return known === undefined ? Number.POSITIVE_INFINITY : known + NEAR_EPOCHS;
  }

  #sorted(): number[] {
    return [...this.#said.values()].sort((a, b) => a - b);
  }
}
