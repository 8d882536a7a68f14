import type { Readable } from './cell.ts';
import type { ShoalError } from './errors.ts';
import type { Loading } from './models.ts';

/** A phone that is unlocked tells the page first, and then that its connections ended while it slept. */
const WAKES_FOR_MS = 10_000;

/** What is needed of the models. */
export interface Resumable {
  readonly loading: Readable<Loading | undefined>;
  resume(): Promise<boolean>;
}

/** Whether the same load may succeed once the network is back, or the page on the screen again. */
export function mayGoOn({ remedy, details }: ShoalError): boolean {
  return remedy === 'retry' || (remedy === 'reload-device' && details.reason === 'lost');
}

/**
 * Goes on with a load that broke off, without being asked, when the network is back or the page is on the screen again:
 * once each time.
 */
export class Resumption {
  readonly #models: Resumable;
  readonly #isOnScreen: () => boolean;
  readonly #now: () => number;
  #wokeAt = Number.NEGATIVE_INFINITY;

  constructor(models: Resumable, isOnScreen: () => boolean, now: () => number) {
    this.#models = models;
    this.#isOnScreen = isOnScreen;
    this.#now = now;
    models.loading.subscribe(() => this.#goOn());
  }

  /** The network is back, or the page is on the screen again. */
  woke(): void {
    this.#wokeAt = this.#now();
    this.#goOn();
  }

  #goOn(): void {
    const loading = this.#models.loading.value;
    if (loading?.phase !== 'failed' || loading.error === undefined || !mayGoOn(loading.error)) return;
    if (!this.#isOnScreen() || this.#now() - this.#wokeAt > WAKES_FOR_MS) return;
    this.#wokeAt = Number.NEGATIVE_INFINITY;
    void this.#models.resume();
  }
}
