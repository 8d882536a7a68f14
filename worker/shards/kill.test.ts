import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import fc from 'fast-check';
import { createStore, type UseStore } from 'idb-keyval';
import { describe, expect, test } from 'vitest';
import { fileKey, shardCount, shardLength } from './grid.ts';
import { createMemoryLocks } from './locks.ts';
import { Records } from './records.ts';
import { createShardStore } from './store.ts';
import { content, HUB_FILE, sha256, TestSource } from './test-source.ts';
import { type CachedFile, SHARD_BYTES } from './types.ts';

const SIZE = 3 * SHARD_BYTES + 99_999;
const BYTES = content(SIZE, 3);
const SHA256 = sha256(BYTES);
const ALL = Array.from({ length: shardCount(SIZE) }, (_, index) => index);
const KEY = fileKey(HUB_FILE);
/** Of hundreds of downloads on busy cores. */
const TIMEOUT_MS = 180_000;
const never = new Promise<never>(() => {});

/** A process that can die: after that nothing it began goes on, and a transaction under way is undone. */
class Process {
  dead = false;
  writes = 0;
  readonly killed: Promise<void>;
  #tell = () => {};
  readonly #dieInWrite: number;

  constructor(dieInWrite: number) {
    this.#dieInWrite = dieInWrite;
    this.killed = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  kill(): void {
    this.dead = true;
    this.#tell();
  }

  connect = (): UseStore => {
    const use = createStore('shoal-shards', 'records');
    return async (mode, callback) => {
      if (this.dead) return never;
      const dies = mode === 'readwrite' && ++this.writes === this.#dieInWrite;
      const result = await use(mode, (store) => {
        const answer = callback(store);
        if (!dies) return answer;
        Promise.resolve(answer).catch(() => {});
        store.transaction.abort();
        this.kill();
        return never;
      });
      return this.dead ? never : result;
    };
  };

  /** The source as this process sees it: silent once it is dead. */
  tether(source: TestSource, bytesUntilKill: number): void {
    const limit = source.takenBytes + bytesUntilKill;
    source.gate = async () => {
      if (!this.dead && source.takenBytes >= limit) this.kill();
      if (this.dead) await never;
    };
  }
}

async function drain(file: CachedFile, signal: AbortSignal, indices = ALL) {
  for await (const shard of file.shards(indices, { signal })) {
    const wanted = BYTES.subarray(shard.offset, shard.offset + shardLength(SIZE, shard.index));
    if (Buffer.compare(shard.bytes, wanted) !== 0) throw new Error(`shard ${shard.index} is wrong`);
    shard.release();
  }
}

async function committed(): Promise<Set<number>> {
  return new Set((await Records.open('shoal-shards').presence(KEY)).here.keys());
}

type End =
  | { readonly kind: 'kill in write'; readonly write: number }
  | { readonly kind: 'kill at byte'; readonly bytes: number }
  | { readonly kind: 'abort at byte'; readonly bytes: number };

const bytes = fc.integer({ min: 0, max: SIZE });
const end: fc.Arbitrary<End> = fc.oneof(
  fc.record({ kind: fc.constant('kill in write' as const), write: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('kill at byte' as const), bytes }),
  fc.record({ kind: fc.constant('abort at byte' as const), bytes }),
);

/** One visit to the page that ends as told, or completes. */
async function visit(source: TestSource, ending: End, indices: number[]): Promise<void> {
  const process = new Process(ending.kind === 'kill in write' ? ending.write : Number.POSITIVE_INFINITY);
  const stop = new AbortController();
  if (ending.kind === 'abort at byte') {
    const limit = source.takenBytes + ending.bytes;
    source.gate = async () => {
      if (source.takenBytes >= limit) stop.abort();
    };
  } else {
    process.tether(source, ending.kind === 'kill at byte' ? ending.bytes : Number.POSITIVE_INFINITY);
  }
  const store = await createShardStore({ records: new Records(process.connect), locks: createMemoryLocks() });
  const file = await store.open(HUB_FILE, SIZE, source);
  const done = drain(file, stop.signal, indices).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  await Promise.race([done, process.killed]);
}

describe('killed at any point', () => {
  test(
    'a download goes on with what was committed, and no committed byte comes twice',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ end, indices: fc.subarray(ALL, { minLength: 1 }) }), { maxLength: 4 }),
          fc.integer({ min: 10_000, max: 3_000_000 }),
          async (visits, chunkBytes) => {
            globalThis.indexedDB = new IDBFactory();
            const source = new TestSource(BYTES, { sha256: SHA256 });
            source.chunkBytes = chunkBytes;
            for (const { end, indices } of visits) {
              const before = [...source.taken];
              const kept = await committed();
              await visit(source, end, indices);
              const after = await committed();
              for (const index of kept) {
                expect(after.has(index), 'what was committed stays').toBe(true);
                expect(source.taken[index], 'and is not fetched again').toBe(before[index]);
              }
              // Lost are the shard that was coming and, killed hard, the one that was just being written.
              const lost = ALL.filter((index) => !after.has(index) && source.taken[index] !== before[index]);
              expect(lost.length).toBeLessThanOrEqual(end.kind === 'abort at byte' ? 1 : 2);
              for (const index of ALL) {
                expect((source.taken[index] ?? 0) - (before[index] ?? 0)).toBeLessThanOrEqual(shardLength(SIZE, index));
              }
            }
            source.gate = async () => {};
            const store = await createShardStore({ locks: createMemoryLocks() });
            const file = await store.open(HUB_FILE, SIZE, source);
            await drain(file, new AbortController().signal);
            expect(await file.verifyWhole(new AbortController().signal)).toBe('verified');
          },
        ),
        { numRuns: 30 },
      );
    },
    TIMEOUT_MS,
  );

  test(
    'two windows, each stopped and started again: every byte once and at most the shards in progress again',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(bytes, { maxLength: 3 }), fc.scheduler(), async (stops, scheduler) => {
          globalThis.indexedDB = new IDBFactory();
          const locks = createMemoryLocks();
          const source = new TestSource(BYTES);
          source.chunkBytes = 1_500_000;
          const keepOn = async () => {
            const file = await (await createShardStore({ locks })).open(HUB_FILE, SIZE, source);
            for (const after of [...stops, Number.POSITIVE_INFINITY]) {
              const stop = new AbortController();
              const limit = source.takenBytes + after;
              source.gate = async () => {
                await scheduler.schedule(Promise.resolve());
                if (source.takenBytes >= limit) stop.abort();
              };
              await drain(file, stop.signal).catch((error) => {
                if (!stop.signal.aborted) throw error;
              });
            }
          };
          await scheduler.waitFor(Promise.all([keepOn(), keepOn()]));
          expect(await committed()).toEqual(new Set(ALL));
          expect(source.takenBytes).toBeLessThanOrEqual(SIZE + 2 * stops.length * SHARD_BYTES);
          for (const taken of source.taken) expect(taken).toBeGreaterThan(0);
        }),
        { numRuns: 15 },
      );
    },
    TIMEOUT_MS,
  );
});
