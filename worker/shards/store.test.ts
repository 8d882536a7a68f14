import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { createStore, type UseStore } from 'idb-keyval';
import { beforeEach, describe, expect, test } from 'vitest';
import { ModelError, PersonError, RetryError, StorageError } from '../errors.ts';
import type { FileIdentity } from '../weights/types.ts';
import { BufferPool, SpareBuffers } from './buffers.ts';
import { readCached } from './cached.ts';
import { fileKey, shardCount } from './grid.ts';
import { hashHere } from './hashing.ts';
import { createMemoryLocks } from './locks.ts';
import { Records } from './records.ts';
import { createShardStore } from './store.ts';
import { content, HUB_FILE, sha256, TestSource } from './test-source.ts';
import { type CachedFile, SHARD_BYTES, type Shard, type TransferProgress } from './types.ts';

const SIZE = 3 * SHARD_BYTES + 1_234_567;
const BYTES = content(SIZE);
const SHA256 = sha256(BYTES);
const ALL = [0, 1, 2, 3];
const KEY = fileKey(HUB_FILE);
const signal = new AbortController().signal;

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

/** Reads shards and checks each byte. */
async function readAll(file: CachedFile, indices = ALL, options: { signal?: AbortSignal } = {}) {
  let last: TransferProgress | undefined;
  const onProgress = (progress: TransferProgress) => {
    last = progress;
  };
  for await (const shard of file.shards(indices, { signal, onProgress, ...options })) {
    expectRight(shard);
    shard.release();
  }
  return last as unknown as TransferProgress;
}

function expectRight(shard: Shard, bytes = BYTES) {
  const wanted = bytes.subarray(shard.offset, shard.offset + SHARD_BYTES);
  expect(Buffer.compare(shard.bytes, wanted), `shard ${shard.index}`).toBe(0);
}

async function damage(index: number, key = KEY) {
  const records = Records.open('shoal-shards');
  const stored = await records.shard(key, index);
  if (!stored) throw new Error('nothing to damage');
  const bytes = new Uint8Array(await new Response(stored.value).arrayBuffer());
  bytes[77] = (bytes[77] ?? 0) ^ 1;
  await records.writeShard((await records.file(key)) as never, index, bytes, stored.sha256);
}

describe('a file of which only the header was read', () => {
  test('is known for that, until a load asks for the rest, even where that comes to nothing', async () => {
    const source = new TestSource(BYTES);
    const store = await createShardStore();
    const file = await store.open(HUB_FILE, SIZE, source);
    await file.readRange(0, 100, signal);
    expect((await store.list())[0]).toMatchObject({ lookedAt: true, keptBytes: SHARD_BYTES });
    source.dropAfter = 1000;
    await expect(readAll(await store.open(HUB_FILE, SIZE, source))).rejects.toThrow(RetryError);
    expect((await store.list())[0]).toMatchObject({ lookedAt: false, keptBytes: SHARD_BYTES });
    source.dropAfter = Number.POSITIVE_INFINITY;
    await (await store.open(HUB_FILE, SIZE, source)).readRange(SIZE - 10, SIZE, signal);
    expect((await store.list())[0]).toMatchObject({ lookedAt: false });
  });

  test('is an ordinary kept file where that was all of it', async () => {
    const store = await createShardStore();
    const file = await store.open(HUB_FILE, 1000, new TestSource(BYTES.slice(0, 1000)));
    await file.readRange(0, 100, signal);
    expect((await store.list())[0]).toMatchObject({ lookedAt: false, complete: true });
  });
});

describe('a file through the store', () => {
  test('comes with one request, is kept, and is read without the network', async () => {
    const source = new TestSource(BYTES, { sha256: SHA256 });
    const store = await createShardStore();
    const progress = await readAll(await store.open(HUB_FILE, SIZE, source));
    expect(source.requests).toEqual([{ start: 0, end: SIZE }]);
    expect(progress).toEqual({
      doneBytes: SIZE,
      totalBytes: SIZE,
      fetchedBytes: SIZE,
      arrivingBytes: 0,
      repairedShards: 0,
    });

    const offline = await (await createShardStore()).open(HUB_FILE, SIZE, undefined);
    expect(await readAll(offline)).toMatchObject({ doneBytes: SIZE, fetchedBytes: 0 });
    expect(await offline.has(ALL)).toBe(true);
  });

  test('one request a contiguous run of what is missing', async () => {
    const source = new TestSource(BYTES);
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    await readAll(file, [1]);
    await readAll(file);
    expect(source.requests).toEqual([
      { start: SHARD_BYTES, end: 2 * SHARD_BYTES },
      { start: 0, end: SHARD_BYTES },
      { start: 2 * SHARD_BYTES, end: SIZE },
    ]);
    expect(source.takenBytes).toBe(SIZE);
  });

  test('small reads cross shard borders and are cached', async () => {
    const source = new TestSource(BYTES);
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    const ranges = [
      [0, 10],
      [SHARD_BYTES - 5, SHARD_BYTES + 5],
      [100, 2 * SHARD_BYTES + 7],
      [SIZE - 3, SIZE],
      [9, 9],
    ] as const;
    for (const [start, end] of ranges) {
      expect(Buffer.compare(await file.readRange(start, end, signal), BYTES.subarray(start, end))).toBe(0);
    }
    expect(source.takenBytes).toBe(SIZE);
    await expect(file.readRange(SIZE - 1, SIZE + 1, signal)).rejects.toThrow(ModelError);
  });

  test('leaving the loop early closes the request and keeps what came', async () => {
    const source = new TestSource(BYTES);
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    for await (const shard of file.shards(ALL, { signal })) {
      shard.release();
      break;
    }
    expect(source.open).toBe(0);
    expect(await file.has([0])).toBe(true);
    await readAll(file);
    // The first was kept; of the others at most the one that was coming came twice.
    expect(source.takenBytes).toBeLessThanOrEqual(SIZE + SHARD_BYTES);
    expect(source.taken[0]).toBe(SHARD_BYTES);
  });

  test('a consumer that keeps a shard back may read the same file inside its loop', async () => {
    const source = new TestSource(BYTES);
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    for await (const shard of file.shards(ALL, { signal })) {
      await file.readRange(SIZE - 10, SIZE, signal);
      shard.release();
    }
    expect(await file.has(ALL)).toBe(true);
  });

  test('a network that drops keeps what came, and the next try goes on from there', async () => {
    const source = new TestSource(BYTES);
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    source.dropAfter = 2 * SHARD_BYTES + 1000;
    await expect(readAll(file)).rejects.toThrow(RetryError);
    source.dropAfter = Number.POSITIVE_INFINITY;
    await readAll(file);
    expect(source.requests.map(({ start }) => start)).toEqual([0, 2 * SHARD_BYTES]);
  });

  test('a source that ends early is an error to try again, not a short shard', async () => {
    const source = new TestSource(BYTES);
    source.read = async function* () {
      yield BYTES.slice(0, SHARD_BYTES + 5);
    };
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    await expect(readAll(file)).rejects.toThrow(/ended .* bytes before/);
    expect(await file.has([0])).toBe(true);
    expect(await file.has([1])).toBe(false);
  });

  test('an abort stops at once', async () => {
    const source = new TestSource(BYTES);
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    const stop = new AbortController();
    source.gate = async () => {
      if (source.takenBytes > SHARD_BYTES * 1.5) stop.abort();
    };
    await expect(readAll(file, ALL, { signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(source.open).toBe(0);
    expect(source.takenBytes).toBeLessThan(2 * SHARD_BYTES);
  });
});

describe('damage', () => {
  test('a flipped bit is found, fetched again and counted', async () => {
    const source = new TestSource(BYTES, { sha256: SHA256 });
    const store = await createShardStore();
    const file = await store.open(HUB_FILE, SIZE, source);
    await readAll(file);
    expect(await file.verifyWhole(signal)).toBe('verified');
    await damage(2);
    expect(await readAll(file)).toMatchObject({ repairedShards: 1, fetchedBytes: SHARD_BYTES, doneBytes: SIZE });
    expect(source.taken).toEqual([SHARD_BYTES, SHARD_BYTES, 2 * SHARD_BYTES, 1_234_567]);
    // The same bytes came back, so the whole file's hash still stands.
    expect((await store.list())[0]).toMatchObject({ verified: 'origin', complete: true });
    expect(await readAll(file)).toMatchObject({ repairedShards: 0, fetchedBytes: 0 });
  });

  test('a flipped bit that a small read found counts with the shards that follow, once', async () => {
    const store = await createShardStore();
    await readAll(await store.open(HUB_FILE, SIZE, new TestSource(BYTES)));
    await damage(0);
    await damage(2);
    const file = await store.open(HUB_FILE, SIZE, new TestSource(BYTES));
    await file.readRange(10, 400, signal);
    await file.readRange(400, 900, signal);
    expect(await readAll(file)).toMatchObject({ repairedShards: 2, fetchedBytes: SHARD_BYTES });
  });

  test('a flipped bit without a source says what to do', async () => {
    const store = await createShardStore();
    await readAll(await store.open(HUB_FILE, SIZE, new TestSource(BYTES)));
    await damage(1);
    const offline = await store.open(HUB_FILE, SIZE, undefined);
    await expect(readAll(offline)).rejects.toThrow(/m.gguf .*damaged.*Connect/);
    expect(await offline.has([0])).toBe(true);
    expect(await offline.has([1])).toBe(false);
  });

  test('a repair that brings other bytes takes the confirmation back', async () => {
    const source = new TestSource(BYTES, { sha256: SHA256 });
    const store = await createShardStore();
    const file = await store.open(HUB_FILE, SIZE, source);
    await readAll(file);
    await file.verifyWhole(signal);
    await damage(1);
    source.bytes[SHARD_BYTES + 5] = (source.bytes[SHARD_BYTES + 5] ?? 0) ^ 8;
    try {
      for await (const shard of file.shards(ALL, { signal })) shard.release();
      expect((await store.list())[0]).toMatchObject({ verified: 'own-hashes', complete: true });
      await expect(file.verifyWhole(signal)).rejects.toThrow(ModelError);
      expect(await store.list()).toEqual([]);
    } finally {
      source.bytes[SHARD_BYTES + 5] = (source.bytes[SHARD_BYTES + 5] ?? 0) ^ 8;
    }
  });

  test('evicted shards are noticed and fetched again', async () => {
    const source = new TestSource(BYTES);
    const store = await createShardStore();
    const file = await store.open(HUB_FILE, SIZE, source);
    await readAll(file);
    await Records.open('shoal-shards').dropBytes(KEY, 3);
    expect((await store.list())[0]).toMatchObject({ lostBytes: 1_234_567, complete: false });
    expect(await file.has(ALL)).toBe(false);
    expect(await readAll(file)).toMatchObject({ fetchedBytes: 1_234_567 });
  });

  test('a shard that another window replaced since the loop began is taken as it is now', async () => {
    await readAll(await (await createShardStore()).open(HUB_FILE, SIZE, new TestSource(BYTES)));
    const records = Records.open('shoal-shards');
    const pool = new BufferPool(new SpareBuffers(SHARD_BYTES, 0), 2);
    const context = { key: KEY, size: SIZE, records, pool, signal, hash: hashHere };
    const stale = new Uint8Array(32);
    const read = await readCached(context, 1, stale);
    expect(read.kind === 'good' && Buffer.compare(read.bytes, BYTES.subarray(SHARD_BYTES, 2 * SHARD_BYTES))).toBe(0);
    const known = (await records.presence(KEY)).here.get(1) as Uint8Array;
    await damage(1);
    expect(await readCached(context, 1, known)).toEqual({ kind: 'damaged', index: 1 });
    expect(await readCached(context, 1, stale)).toEqual({ kind: 'damaged', index: 1 });
    await records.dropBytes(KEY, 1);
    expect(await readCached(context, 1, known)).toEqual({ kind: 'missing', index: 1 });
  });

  test('a shard that goes while others are being read is fetched again', async () => {
    const source = new TestSource(BYTES);
    const file = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    await readAll(file);
    // The list of what is here is older than this: reads find it out one by one.
    for await (const shard of file.shards(ALL, { signal })) {
      if (shard.index === 0) await Records.open('shoal-shards').remove(KEY);
      expectRight(shard);
      shard.release();
    }
    expect(await file.has([0])).toBe(false);
  });
});

describe('the whole file', () => {
  test('is hashed while it comes, without a second pass', async () => {
    const source = new TestSource(BYTES, { sha256: SHA256.toUpperCase() });
    const records = Records.open('shoal-shards');
    let reads = 0;
    const value = records.value.bind(records);
    records.value = (key, index) => {
      reads++;
      return value(key, index);
    };
    const store = await createShardStore({ records });
    const file = await store.open(HUB_FILE, SIZE, source);
    expect(await file.verifyWhole(signal)).toBe('incomplete');
    await readAll(file);
    expect(await file.verifyWhole(signal)).toBe('verified');
    expect(reads).toBe(0);
    expect(await file.verifyWhole(signal)).toBe('verified');
    expect((await store.list())[0]).toMatchObject({ verified: 'origin', keptBytes: SIZE, name: 'm.gguf', key: KEY });
  });

  test('is read again for what came before or out of order', async () => {
    const source = new TestSource(BYTES, { sha256: SHA256 });
    const first = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    await readAll(first, [2, 3]);
    await readAll(first, [0]);
    const second = await (await createShardStore()).open(HUB_FILE, SIZE, source);
    await readAll(second, [1]);
    expect(await Promise.all([second.verifyWhole(signal), second.verifyWhole(signal)])).toEqual([
      'verified',
      'verified',
    ]);
  });

  test('a file that is not what was published is dropped', async () => {
    const source = new TestSource(BYTES, { sha256: sha256(new Uint8Array(1)) });
    const store = await createShardStore();
    const file = await store.open(HUB_FILE, SIZE, source);
    await readAll(file);
    await expect(file.verifyWhole(signal)).rejects.toThrow(/SHA-256/);
    expect(await store.list()).toEqual([]);
    expect(await file.has([0])).toBe(false);
  });

  test("a mirror's word does not make its bytes the hub's; the hub's own word does, without reading again", async () => {
    const store = await createShardStore();
    const mirrored = new TestSource(BYTES, { sha256: SHA256, mirror: 'https://mirror.example' });
    const file = await store.open(HUB_FILE, SIZE, mirrored);
    await readAll(file);
    expect(await file.verifyWhole(signal)).toBe('no-origin-hash');
    expect((await store.list())[0]).toMatchObject({ verified: 'own-hashes', mirror: 'https://mirror.example' });

    const hub = new TestSource(BYTES, { sha256: SHA256 });
    const direct = await store.open(HUB_FILE, SIZE, hub);
    expect(await readAll(direct)).toMatchObject({ fetchedBytes: 0 });
    expect(await direct.verifyWhole(signal)).toBe('verified');
    const [listed] = await store.list();
    expect(listed).toMatchObject({ verified: 'origin' });
    expect(listed).not.toHaveProperty('mirror');
  });

  test('a mirror that lied about the bytes is found out by the hash that the hub published', async () => {
    const store = await createShardStore();
    const file = await store.open(
      HUB_FILE,
      SIZE,
      new TestSource(content(SIZE, 7), { mirror: 'https://m.example' }),
      SHA256,
    );
    for await (const shard of file.shards(ALL, { signal })) shard.release();
    await expect(file.verifyWhole(signal)).rejects.toThrow(/https:\/\/m.example/);
  });

  test('a size that a mirror lied about is forgotten, one that was confirmed stands', async () => {
    const store = await createShardStore();
    const short = SIZE - 100;
    const liar = new TestSource(BYTES.slice(0, short), { mirror: 'https://m.example' });
    for await (const shard of (await store.open(HUB_FILE, short, liar)).shards(ALL, { signal })) shard.release();
    const hub = new TestSource(BYTES, { sha256: SHA256 });
    const file = await store.open(HUB_FILE, SIZE, hub);
    expect(await readAll(file)).toMatchObject({ fetchedBytes: SIZE });
    await file.verifyWhole(signal);
    await expect(store.open(HUB_FILE, short, liar)).rejects.toThrow(ModelError);
  });
});

describe('room', () => {
  const storage = (usage: number, quota: number) => ({ estimate: async () => ({ usage, quota }) });

  test('a download that does not fit is refused with the figures, before a byte comes', async () => {
    const source = new TestSource(BYTES);
    const store = await createShardStore({ storage: storage(90e6, 100e6) });
    const error = await readAll(await store.open(HUB_FILE, SIZE, source)).catch((e) => e);
    expect(error).toBeInstanceOf(StorageError);
    expect(error.details).toEqual({ neededBytes: SIZE, freeBytes: 10e6 });
    expect(error.message).toMatch(/13\.2 MiB.*9\.5 MiB/);
    expect(source.requests).toEqual([]);
    expect(await store.estimate()).toEqual({ usedBytes: 90e6, quotaBytes: 100e6, persisted: false });
  });

  test('a quota that is reached on the way says so and keeps what came', async () => {
    const source = new TestSource(BYTES);
    const records = Records.open('shoal-shards');
    const write = records.writeShard.bind(records);
    records.writeShard = (file, index, ...rest) =>
      index === 2 ? Promise.reject(new DOMException('full', 'QuotaExceededError')) : write(file, index, ...rest);
    const file = await (await createShardStore({ records })).open(HUB_FILE, SIZE, source);
    await expect(readAll(file)).rejects.toThrow(StorageError);
    expect(source.open).toBe(0);
    expect(await file.has([0, 1])).toBe(true);
    expect(await file.has([2])).toBe(false);
    // All buffers came back: another try takes as many again.
    records.writeShard = write;
    await readAll(file);
  });

  test('a browser that keeps no Blobs keeps ArrayBuffers', async () => {
    const use = createStore('shoal-shards', 'records');
    const withoutBlobs: UseStore = (mode, callback) =>
      use(mode, (store) =>
        callback(
          new Proxy(store, {
            get(target, name) {
              if (name !== 'put') {
                const value = Reflect.get(target, name);
                return typeof value === 'function' ? value.bind(target) : value;
              }
              return (value: unknown, key: IDBValidKey) => {
                if (value instanceof Blob) throw new DOMException('no Blobs', 'DataCloneError');
                return target.put(value, key);
              };
            },
          }),
        ),
      );
    const records = new Records(() => withoutBlobs);
    const source = new TestSource(BYTES);
    const file = await (await createShardStore({ records })).open(HUB_FILE, SIZE, source);
    await readAll(file);
    expect(await records.value(KEY, 0)).toBeInstanceOf(ArrayBuffer);
    expect(await readAll(file)).toMatchObject({ fetchedBytes: 0 });
  });

  test('a browser without a database says what to do', async () => {
    const broken = new Records(() => () => Promise.reject(new DOMException('no', 'SecurityError')));
    await expect(createShardStore({ records: broken })).rejects.toThrow(/private window/);
  });

  test('persistence is asked where it can be, else left to the window', async () => {
    const asked = async (facts: object) => (await createShardStore({ storage: facts })).requestPersistence();
    expect(await asked({ persisted: async () => true })).toBe('granted');
    expect(await asked({ persisted: async () => false })).toBe('ask-window');
    expect(await asked({ persisted: async () => false, persist: async () => false })).toBe('denied');
  });
});

test('removing a file frees all its records and no others', async () => {
  const store = await createShardStore();
  const other: FileIdentity = { ...HUB_FILE, kind: 'hub', commit: 'c0ffee2' } as FileIdentity;
  await readAll(await store.open(HUB_FILE, SIZE, new TestSource(BYTES)), [0, 3]);
  await readAll(await store.open(other, SIZE, new TestSource(BYTES)), [0]);
  expect((await store.list()).map(({ keptBytes }) => keptBytes)).toEqual([SHARD_BYTES + 1_234_567, SHARD_BYTES]);
  await store.remove(KEY);
  expect((await store.list()).map(({ key }) => key)).toEqual([fileKey(other)]);
  expect((await Records.open('shoal-shards').presence(KEY)).here.size).toBe(0);
});

test('a picked file that is gone asks to be chosen again', async () => {
  const picked: FileIdentity = { kind: 'picked', name: 'mine.gguf', size: SIZE, headerSha256: 'ab' };
  const file = await (await createShardStore()).open(picked, SIZE, undefined);
  const error = await readAll(file).catch((e) => e);
  expect(error).toBeInstanceOf(PersonError);
  expect(error.message).toContain('mine.gguf');
});

describe('two windows', () => {
  test('fetch nothing twice, and each gets all bytes', async () => {
    const locks = createMemoryLocks();
    const source = new TestSource(BYTES);
    const windows = await Promise.all([createShardStore({ locks }), createShardStore({ locks })]);
    await Promise.all(windows.map(async (store) => readAll(await store.open(HUB_FILE, SIZE, source))));
    expect(source.takenBytes).toBe(SIZE);
  });

  test('the second goes on where the first is stopped', async () => {
    const locks = createMemoryLocks();
    const source = new TestSource(BYTES);
    const [one, two] = await Promise.all([createShardStore({ locks }), createShardStore({ locks })]);
    const stop = new AbortController();
    source.gate = async () => {
      if (source.takenBytes > 1.5 * SHARD_BYTES) stop.abort();
    };
    const first = readAll(await one.open(HUB_FILE, SIZE, source), ALL, { signal: stop.signal });
    const second = readAll(await two.open(HUB_FILE, SIZE, source));
    await expect(first).rejects.toThrow();
    await second;
    expect(source.takenBytes).toBeLessThan(SIZE + SHARD_BYTES);
  });

  test('present shards are read while the other window downloads', async () => {
    const locks = createMemoryLocks();
    const source = new TestSource(BYTES);
    const [one, two] = await Promise.all([createShardStore({ locks }), createShardStore({ locks })]);
    await readAll(await one.open(HUB_FILE, SIZE, source), [0]);
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    source.gate = () => opened;
    const download = readAll(await one.open(HUB_FILE, SIZE, source));
    await readAll(await two.open(HUB_FILE, SIZE, undefined), [0]);
    open();
    await download;
    expect(shardCount(SIZE)).toBe(4);
  });
});
