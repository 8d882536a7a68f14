/** The cache of weights: `createShardStore` and the contract it fulfils. */
export { createMemoryLocks, type Locks } from './locks.ts';
export { createShardStore, type ShardStoreOptions } from './store.ts';
export * from './types.ts';
export { createUncachedStore } from './uncached.ts';
