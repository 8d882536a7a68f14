import type { ShardStore } from '../shards/index.ts';

/** Stands where the browser gives the page no database: nothing is kept, and whoever needs to keep hears why. */
export function noStore(reason: unknown): ShardStore {
  return {
    open: () => Promise.reject(reason),
    list: () => Promise.resolve([]),
    remove: () => Promise.reject(reason),
    requestPersistence: () => Promise.resolve('denied'),
    estimate: () => Promise.resolve({ usedBytes: 0, quotaBytes: 0, persisted: false }),
  };
}
