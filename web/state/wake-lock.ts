import { Cell, type Readable } from './cell.ts';

/**
 * Keeps the screen on while a download or an answer runs. The browser drops the lock whenever the page is hidden, so
 * it is asked for again when the page shows. Refusals are fine: work goes on until the device sleeps.
 */
export class WakeLock {
  readonly #reasons = new Set<string>();
  readonly #isHeld = new Cell(false);
  #sentinel: WakeLockSentinel | undefined;
  #asking = false;

  constructor() {
    document.addEventListener('visibilitychange', () => this.#settle());
  }

  /** Whether the browser gave it, and has not taken it back. */
  get isHeld(): Readable<boolean> {
    return this.#isHeld;
  }

  hold(reason: string): void {
    this.#reasons.add(reason);
    this.#settle();
  }

  release(reason: string): void {
    this.#reasons.delete(reason);
    this.#settle();
  }

  #settle(): void {
    if (this.#reasons.size === 0) {
      void this.#sentinel?.release();
      this.#keep(undefined);
    } else if (document.visibilityState === 'visible' && !this.#sentinel && !this.#asking) {
      void this.#ask();
    }
  }

  async #ask(): Promise<void> {
    if (!('wakeLock' in navigator)) return;
    this.#asking = true;
    try {
      const sentinel = await navigator.wakeLock.request('screen');
      sentinel.addEventListener('release', () => {
        if (this.#sentinel === sentinel) this.#keep(undefined);
      });
      this.#keep(sentinel);
    } catch {
      // Battery saver or a hidden page: nothing to do but go on without.
    } finally {
      this.#asking = false;
    }
    if (this.#reasons.size === 0) this.#settle();
  }

  #keep(sentinel: WakeLockSentinel | undefined): void {
    this.#sentinel = sentinel;
    this.#isHeld.set(sentinel !== undefined);
  }
}
