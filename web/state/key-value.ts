import { createStore, entries, get, type UseStore } from 'idb-keyval';
import { Cell, type Readable } from './cell.ts';

/** Why what is written goes with the window: no database at all, a disk that is full, a database that went away. */
export type KeepTrouble = 'refused' | 'full' | 'lost';

/** What the window keeps: conversations and preferences. */
export interface KeyValue {
  /** Set while what was written is in memory only. */
  readonly trouble: Readable<KeepTrouble | undefined>;
  get<T>(key: string): Promise<T | undefined>;
  set(key: string, value: unknown): Promise<void>;
  values<T>(): Promise<readonly T[]>;
  /** Reads, changes and writes in one transaction, so that two windows do not lose each other's change. */
  update<T>(key: string, change: (before: T | undefined) => T): Promise<T>;
  /** Writes what a full disk refused; for when there may be room again. */
  retry(): Promise<void>;
}

type Change = (before: unknown) => unknown;

/** IndexedDB where the browser gives it, else memory (private windows of some browsers refuse it). */
export function browserKeyValue(database: string): KeyValue {
  return new BrowserKeyValue(database);
}

class BrowserKeyValue implements KeyValue {
  readonly #database: string;
  readonly #trouble = new Cell<KeepTrouble | undefined>(undefined);
  /** What could not be written: the value as this window knows it, and the change that makes it. */
  readonly #unwritten = new Map<string, { readonly value: unknown; readonly change: Change }>();
  #store: UseStore | undefined;
  #worked = false;

  constructor(database: string) {
    this.#database = database;
    this.#open();
  }

  get trouble(): Readable<KeepTrouble | undefined> {
    return this.#trouble;
  }

  async get<T>(key: string): Promise<T | undefined> {
    const unwritten = this.#unwritten.get(key);
    if (unwritten) return unwritten.value as T;
    return this.#read((store) => get<T>(key, store), undefined);
  }

  async values<T>(): Promise<readonly T[]> {
    const kept = new Map(await this.#read((store) => entries<string, T>(store), []));
    for (const [key, { value }] of this.#unwritten) kept.set(key, value as T);
    return [...kept.values()];
  }

  async set(key: string, value: unknown): Promise<void> {
    await this.update(key, () => value);
  }

  async update<T>(key: string, change: (before: T | undefined) => T): Promise<T> {
    try {
      const value = await this.#write(key, change as Change);
      this.#unwritten.delete(key);
      if (this.#unwritten.size > 0) await this.retry();
      else this.#trouble.set(undefined);
      return value as T;
    } catch (error) {
      const value = change(await this.get<T>(key));
      this.#unwritten.set(key, { value, change: change as Change });
      this.#fail(error);
      return value;
    }
  }

  async retry(): Promise<void> {
    try {
      for (const [key, unwritten] of [...this.#unwritten]) {
        await this.#write(key, unwritten.change);
        // written again meanwhile: then that is what waits
        if (this.#unwritten.get(key) === unwritten) this.#unwritten.delete(key);
      }
      if (this.#unwritten.size === 0 && this.#store) this.#trouble.set(undefined);
    } catch (error) {
      this.#fail(error);
    }
  }

  #write(key: string, change: Change): Promise<unknown> {
    return this.#inStore((store) => store('readwrite', (records) => changed(records, key, change)));
  }

  async #read<T>(read: (store: UseStore) => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await this.#inStore(read);
    } catch (error) {
      this.#fail(error);
      return otherwise;
    }
  }

  async #inStore<T>(work: (store: UseStore) => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries++) {
      const store = this.#store ?? this.#open();
      if (!store) throw new Error('This browser gives the page no database.');
      try {
        const done = await work(store);
        this.#worked = true;
        return done;
      } catch (error) {
        if (isFull(error)) throw error;
        this.#store = undefined; // iOS drops the connections of pages in the background: open another, once
        if (tries > 0) throw error;
      }
    }
  }

  #open(): UseStore | undefined {
    try {
      this.#store = createStore(this.#database, 'kept');
    } catch {
      this.#store = undefined;
    }
    return this.#store;
  }

  #fail(error: unknown): void {
    this.#trouble.set(isFull(error) ? 'full' : this.#worked ? 'lost' : 'refused');
  }
}

/** Resolves when it is written; a full disk is told at the end of the transaction, in some browsers there alone. */
function changed(records: IDBObjectStore, key: string, change: Change): Promise<unknown> {
  const { transaction } = records;
  return new Promise((resolve, reject) => {
    let after: unknown;
    let failure: unknown;
    transaction.oncomplete = () => resolve(after);
    transaction.onabort = () => reject(failure ?? transaction.error);
    const reading = records.get(key);
    reading.onsuccess = () => {
      try {
        after = change(reading.result);
        records.put(after, key);
        transaction.commit(); // now: a page that is left takes what waits for its turn with it
      } catch (error) {
        failure = error;
        transaction.abort();
      }
    };
  });
}

function isFull(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError';
}
