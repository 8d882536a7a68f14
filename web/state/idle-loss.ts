import type { LoadedModel } from '../../worker/api.ts';

/** A GPU that is lost so often in a row is not tried again unasked. */
const RELOADS = 2;
/** One that held for so long is no longer in that row. */
const STEADY_MS = 5 * 60_000;

/** What is needed of the models. */
export interface Reloadable {
  /** The model that was loaded, which is so no more. */
  lose(): LoadedModel | undefined;
  readonly isLoading: boolean;
  /** Whether all of it is here, so that nothing would be downloaded. */
  isKept(loaded: LoadedModel): Promise<boolean>;
  reload(loaded: LoadedModel): Promise<boolean>;
}

/** What became of a model whose GPU went away. */
export type IdleOutcome = 'loading-again' | 'back' | 'failed' | 'too-often' | 'not-kept' | 'left';

/**
 * Brings the model back after the GPU went away while nothing was asked: from what is kept, on the screen (a page in the
 * background that loads is the first to be ended), and not for ever.
 */
export class IdleLoss {
  readonly #models: Reloadable;
  readonly #onScreen: () => Promise<void>;
  readonly #now: () => number;
  #lostAt = Number.NEGATIVE_INFINITY;
  #inARow = 0;

  /** @param onScreen resolves when the page is on the screen */
  constructor(models: Reloadable, onScreen: () => Promise<void>, now: () => number) {
    this.#models = models;
    this.#onScreen = onScreen;
    this.#now = now;
  }

  /** @param tell called with each outcome; the last one stays */
  async lost(tell: (outcome: IdleOutcome, name: string) => void): Promise<void> {
    const loaded = this.#models.lose();
    if (loaded === undefined || this.#models.isLoading) return;
    const { name } = loaded.summary;
    const now = this.#now();
    this.#inARow = now - this.#lostAt < STEADY_MS ? this.#inARow + 1 : 1;
    this.#lostAt = now;
    if (this.#inARow > RELOADS) {
      tell('too-often', name);
      return;
    }
    tell('loading-again', name);
    await this.#onScreen();
    // the person may have chosen another one meanwhile
    if (this.#models.isLoading) tell('left', name);
    else if (!(await this.#models.isKept(loaded))) tell('not-kept', name);
    else tell((await this.#models.reload(loaded)) ? 'back' : 'failed', name);
  }
}
