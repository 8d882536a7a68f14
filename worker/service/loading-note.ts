import { createStore, del, entries, get, set, type UseStore } from 'idb-keyval';
import { holdLock, type Locks, tryLock } from '../shards/locks.ts';

/** Written before a model is loaded and cleared after: a tab that is ended for its memory reloads without a word. */
interface Note {
  readonly model: string;
  readonly budgetBytes: number;
}

/** A load that did not end, found at the next start. */
export interface Interruption {
  readonly model: string;
  readonly budgetBefore: number;
  readonly budgetNow: number;
}

/** What is left of the budget that a load did not survive. */
const SHRINK = 0.75;
const PREFIX = 'loading:';
const SHRUNK = 'shrunk-budget';

/** The notes of loads in progress (one a window), and the budget that an earlier one has cost. */
export class LoadingNotes {
  readonly #store: UseStore;
  readonly #locks: Locks;

  constructor(locks: Locks, database = 'shoal-notes') {
    this.#store = createStore(database, 'notes');
    this.#locks = locks;
  }

  /** At start: what the last load's end has cost, if it had none. The shrunken budget is remembered. */
  async takeInterruption(): Promise<Interruption | undefined> {
    let found: Interruption | undefined;
    for (const [key, note] of await entries<string, Note | number>(this.#store)) {
      if (!key.startsWith(PREFIX) || typeof note === 'number') continue;
      const release = await tryLock(this.#locks, key);
      if (release === undefined) continue; // another window is loading it right now
      const budgetNow = Math.floor(note.budgetBytes * SHRINK);
      await set(SHRUNK, Math.min(budgetNow, (await this.shrunkBudget()) ?? budgetNow), this.#store);
      await del(key, this.#store);
      release();
      found = { model: note.model, budgetBefore: note.budgetBytes, budgetNow };
    }
    return found;
  }

  /** The budget after loads that did not end, if there were any. */
  async shrunkBudget(): Promise<number | undefined> {
    return get<number>(SHRUNK, this.#store);
  }

  /** Runs `load` with the note written; whatever it throws, the tab lived, so the note goes. */
  async during<T>(model: string, budgetBytes: number, signal: AbortSignal, load: () => Promise<T>): Promise<T> {
    const key = `${PREFIX}${crypto.randomUUID()}`;
    const release = await holdLock(this.#locks, key, signal);
    await set(key, { model, budgetBytes } satisfies Note, this.#store);
    try {
      return await load();
    } finally {
      await del(key, this.#store);
      release();
    }
  }
}
