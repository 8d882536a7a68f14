import { createStore, del, delMany, entries, get, keys, set, type UseStore, update } from 'idb-keyval';

/** A few records in IndexedDB. */
export class RecordStore {
  readonly #database: string;
  #store: UseStore | undefined;

  constructor(database: string) {
    this.#database = database;
  }

  get(key: string): Promise<unknown> {
    return this.#try((store) => get<unknown>(key, store));
  }

  set(key: string, value: unknown): Promise<void> {
    return this.#try((store) => set(key, value, store));
  }

  delete(key: string): Promise<void> {
    return this.#try((store) => del(key, store));
  }

  keys(): Promise<readonly string[]> {
    return this.#try((store) => keys<string>(store));
  }

  /** Deletes the records whose key begins so. */
  async deleteStartingWith(prefix: string): Promise<void> {
    const all = await this.keys();
    await this.#try((store) =>
      delMany(
        all.filter((key) => key.startsWith(prefix)),
        store,
      ),
    );
  }

  /** Records whose key begins so. */
  async startingWith(prefix: string): Promise<readonly unknown[]> {
    const all = await this.#try((store) => entries<string, unknown>(store));
    return all.filter(([key]) => key.startsWith(prefix)).map(([, value]) => value);
  }

  /** Reads, changes and writes in one transaction. */
  async update<T>(key: string, change: (before: unknown) => T): Promise<T> {
    let after: T | undefined;
    await this.#try((store) =>
      update<unknown>(
        key,
        (before) => {
          after = change(before);
          return after;
        },
        store,
      ),
    );
    return after as T;
  }

  async #try<T>(work: (store: UseStore) => Promise<T>): Promise<T> {
    try {
      this.#store ??= createStore(this.#database, 'records');
      return await work(this.#store);
    } catch {
      // iOS drops the connections of pages in the background: open another, once
      this.#store = createStore(this.#database, 'records');
      return work(this.#store);
    }
  }
}
