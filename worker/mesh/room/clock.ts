import { GAP_MS } from './constants.ts';

/**
 * The time a device was awake, in ms. While it slept or was frozen nothing that it waits for could reach it, so that time
 * does not count: nobody is lost because *we* did not listen.
 */
export class AwakeClock {
  #lastMs: number | undefined;
  #awakeMs = 0;

  get nowMs(): number {
    return this.#awakeMs;
  }

  /** Takes the host's monotonic time; true where the device has to rejoin. */
  advance(hostMs: number): boolean {
    const passed = this.#lastMs === undefined ? 0 : Math.max(0, hostMs - this.#lastMs);
    this.#lastMs = hostMs;
    if (passed > GAP_MS) return true;
    this.#awakeMs += passed;
    return false;
  }
}
