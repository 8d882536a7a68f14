import { describe, expect, it } from 'vitest';
import { thrown } from '../../tests/setup/thrown.ts';
import { ModelError, RetryError } from '../errors.ts';
import { content, HUB_FILE, sha256, TestSource } from './test-source.ts';
import { SHARD_BYTES, type TransferProgress } from './types.ts';
import { createUncachedStore } from './uncached.ts';

const SIZE = 5 * SHARD_BYTES + 1000;
const ALL = [0, 1, 2, 3, 4, 5];
const bytes = content(SIZE);
const { signal } = new AbortController();

const open = (source: TestSource | undefined) => createUncachedStore().open(HUB_FILE, SIZE, source);

async function readAll(file: Awaited<ReturnType<typeof open>>, indices: readonly number[] = ALL) {
  const all = new Uint8Array(SIZE);
  const told: TransferProgress[] = [];
  for await (const shard of file.shards(indices, { signal, onProgress: (progress) => told.push(progress) })) {
    all.set(shard.bytes, shard.offset);
    shard.release();
  }
  return { all, told };
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

describe('a file where nothing can be kept', () => {
  it('comes from its source with one request, and what was read of its header does not come again', async () => {
    const source = new TestSource(bytes, { sha256: sha256(bytes) });
    const file = await open(source);
    expect(await file.readRange(10, 30, signal)).toEqual(bytes.slice(10, 30));
    expect(same(await file.readRange(100, SHARD_BYTES + 50, signal), bytes.slice(100, SHARD_BYTES + 50))).toBe(true);
    const { all, told } = await readAll(file);
    expect(same(all, bytes)).toBe(true);
    expect(source.requests.map(({ start }) => start / SHARD_BYTES)).toEqual([0, 1, 2]);
    expect(source.takenBytes).toBe(SIZE);
    expect(source.open).toBe(0);
    expect(told.at(-1)).toMatchObject({
      doneBytes: SIZE,
      totalBytes: SIZE,
      fetchedBytes: SIZE - 2 * SHARD_BYTES,
      arrivingBytes: 0,
    });
    expect(await file.verifyWhole(signal)).toBe('verified');
  });

  it('comes again when it is asked for again, in runs', async () => {
    const source = new TestSource(bytes);
    const file = await open(source);
    await readAll(file);
    const { all } = await readAll(file, [0, 1, 3, 5]);
    const third = [3 * SHARD_BYTES, 4 * SHARD_BYTES] as const;
    expect(same(all.subarray(...third), bytes.subarray(...third))).toBe(true);
    expect(source.requests.map(({ start, end }) => [start / SHARD_BYTES, end / SHARD_BYTES])).toEqual([
      [0, SIZE / SHARD_BYTES],
      [0, 2],
      [3, 4],
      [5, SIZE / SHARD_BYTES],
    ]);
    expect(await file.missing(ALL)).toEqual([]);
    expect(await file.has([1])).toBe(false);
  });

  it('is refused when it is not the published one', async () => {
    const file = await open(new TestSource(bytes, { sha256: sha256(content(SIZE, 2)) }));
    await readAll(file, [0, 1]);
    expect(await file.verifyWhole(signal)).toBe('incomplete');
    await readAll(file);
    expect(await thrown(file.verifyWhole(signal), ModelError)).toHaveProperty('details.computed', sha256(bytes));
  });

  it('says so where its source is out of reach, and closes what it asked', async () => {
    const away = await open(undefined);
    expect((await thrown(away.readRange(0, 8, signal), RetryError)).message).toContain('keeps nothing');
    const source = new TestSource(bytes);
    source.dropAfter = 1.5 * SHARD_BYTES;
    await thrown(readAll(await open(source)), RetryError);
    expect(source.open).toBe(0);
  });
});
