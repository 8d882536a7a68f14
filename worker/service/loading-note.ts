import { createStore, del, entries, get, set, type UseStore } from 'idb-keyval';
import { holdLock, type Locks, tryLock } from '../shards/locks.ts';
import { randomId } from './random-id.ts';

/**
 * Written before a model takes memory of the GPU and cleared after it is loaded: a tab that is ended for its memory
 * reloads without a word.
 */
export interface Note {
  readonly window: string;
  readonly model: string;
  readonly budgetBytes: number;
}

/** A load that did not end, found at the next start. */
export interface Interruption {
  readonly model: string;
  readonly budgetBefore: number;
  readonly budgetNow: number;
}

/** What is left of the budget that a load did not survive; it does not shrink below the least. */
const SHRINK = 0.75;
export const LEAST_BUDGET_BYTES = 512 * 1024 * 1024;
const PREFIX = 'loading:';
const SHRUNK = 'shrunk-budget';

/** The notes of loads in progress (one a window), and the budget that an earlier one has cost. */
export class LoadingNotes {
  readonly #database: string;
  readonly #locks: Locks;
  #store: UseStore | undefined;

  constructor(locks: Locks, database = 'shoal-notes') {
    this.#database = database;
    this.#locks = locks;
  }

  /**
   * At start: what the last load's end has cost, if it had none. The shrunken budget is remembered.
   * @param left windows whose end was no want of memory: closed, reloaded, or ended in the background
   */
  async takeInterruption(left: readonly string[] = []): Promise<Interruption | undefined> {
    let found: Interruption | undefined;
    for (const [key, note] of await this.#kept((store) => entries<string, Note | number>(store), [])) {
      if (!key.startsWith(PREFIX) || typeof note === 'number') continue;
      const release = await tryLock(this.#locks, key);
      if (release === undefined) continue; // another window is loading it right now
      await this.#kept((store) => del(key, store), undefined);
      release();
      if (left.includes(note.window)) continue;
      const least = Math.min(note.budgetBytes, LEAST_BUDGET_BYTES);
      const budgetNow = Math.max(least, Math.floor(note.budgetBytes * SHRINK));
      const shrunk = Math.min(budgetNow, (await this.shrunkBudget()) ?? budgetNow);
      await this.#kept((store) => set(SHRUNK, shrunk, store), undefined);
      found = { model: note.model, budgetBefore: note.budgetBytes, budgetNow };
    }
    return found;
  }

  /** The budget after loads that did not end, if there were any. */
  async shrunkBudget(): Promise<number | undefined> {
    return this.#kept((store) => get<number>(SHRUNK, store), undefined);
  }

  /** A person's own choice of a budget replaces it. */
  async forgetShrunkBudget(): Promise<void> {
    await this.#kept((store) => del(SHRUNK, store), undefined);
  }

  /** Runs `load` with the note written; whatever it throws, the tab lived, so the note goes. */
  async during<T>(note: Note, signal: AbortSignal, load: () => Promise<T>): Promise<T> {
    const key = `${PREFIX}${randomId()}`;
    const release = await holdLock(this.#locks, key, signal);
    await this.#kept((store) => set(key, note, store), undefined);
    try {
      return await load();
    } finally {
      await this.#kept((store) => del(key, store), undefined);
      release();
    }
  }

  /** Where the browser gives no database, or takes it away, a load goes on without a note. */
  async #kept<T>(operation: (store: UseStore) => Promise<T>, otherwise: T): Promise<T> {
    for (let tries = 0; tries < 2; tries++) {
      try {
        this.#store ??= createStore(this.#database, 'notes');
        return await operation(this.#store);
      } catch {
        this.#store = undefined; // iOS drops the connections of pages in the background
      }
    }
    return otherwise;
  }
}
