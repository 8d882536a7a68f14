import { createStore, entries, get, set, type UseStore, update } from 'idb-keyval';

/** What the window keeps: conversations and preferences. */
export interface KeyValue {
  /** False when the browser refused to keep anything: then all is in memory and goes with the window. */
  readonly lasting: () => boolean;
  get<T>(key: string): Promise<T | undefined>;
  set(key: string, value: unknown): Promise<void>;
  values<T>(): Promise<readonly T[]>;
  /** Reads, changes and writes in one transaction, so that two windows do not lose each other's change. */
  update<T>(key: string, change: (before: T | undefined) => T): Promise<T>;
}

export function memoryKeyValue(): KeyValue {
  const kept = new Map<string, unknown>();
  return {
    lasting: () => false,
    get: async <T>(key: string) => kept.get(key) as T | undefined,
    set: async (key, value) => {
      kept.set(key, value);
    },
    values: async <T>() => [...kept.values()] as T[],
    update: async <T>(key: string, change: (before: T | undefined) => T) => {
      const after = change(kept.get(key) as T | undefined);
      kept.set(key, after);
      return after;
    },
  };
}

/** IndexedDB where the browser gives it, else memory (private windows of some browsers refuse it). */
export function browserKeyValue(database: string): KeyValue {
  const memory = memoryKeyValue();
  let store: UseStore | undefined;
  try {
    store = createStore(database, 'kept');
  } catch {
    store = undefined;
  }
  async function either<T>(inStore: (store: UseStore) => Promise<T>, inMemory: () => Promise<T>): Promise<T> {
    if (!store) return inMemory();
    try {
      return await inStore(store);
    } catch {
      // iOS drops the connections of pages in the background: open another, once
      store = createStore(database, 'kept');
    }
    try {
      return await inStore(store);
    } catch (error) {
      const isFull = error instanceof DOMException && error.name === 'QuotaExceededError';
      if (!isFull) store = undefined; // what fits later is kept later
      return inMemory();
    }
  }
  return {
    lasting: () => store !== undefined,
    get: <T>(key: string) =>
      either(
        (s) => get<T>(key, s),
        () => memory.get<T>(key),
      ),
    set: (key, value) =>
      either(
        (s) => set(key, value, s),
        () => memory.set(key, value),
      ),
    values: <T>() =>
      either(
        async (s) => (await entries<string, T>(s)).map(([, value]) => value),
        () => memory.values<T>(),
      ),
    update: <T>(key: string, change: (before: T | undefined) => T) =>
      either(
        async (s) => {
          let after: T | undefined;
          await update<T>(
            key,
            (before) => {
              after = change(before);
              return after;
            },
            s,
          );
          return after as T;
        },
        () => memory.update(key, change),
      ),
  };
}
