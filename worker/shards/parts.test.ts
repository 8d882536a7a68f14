import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BufferPool, readValue, SpareBuffers } from './buffers.ts';
import { bytesOf, fileKey, fileName, shardCount, shardsBetween } from './grid.ts';
import { createMemoryLocks, holdLock, tryLock } from './locks.ts';
import { SHARD_BYTES } from './types.ts';

const signal = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('the grid covers each file exactly, and a range touches exactly the shards that hold its bytes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.nat(100 * SHARD_BYTES),
      fc.nat(9_000_000),
      (size, start, length) => {
        const count = shardCount(size);
        expect((count - 1) * SHARD_BYTES).toBeLessThan(size);
        expect(count * SHARD_BYTES).toBeGreaterThanOrEqual(size);
        expect(bytesOf(size, [0, count - 1].slice(count === 1 ? 1 : 0))).toBe(
          count === 1 ? size : SHARD_BYTES + size - (count - 1) * SHARD_BYTES,
        );
        const touched = shardsBetween(start, start + length);
        expect(touched.length > 0).toBe(length > 0);
        if (length > 0) {
          expect(touched[0]).toBe(Math.floor(start / SHARD_BYTES));
          expect(touched.at(-1)).toBe(Math.floor((start + length - 1) / SHARD_BYTES));
          expect(touched.length).toBe((touched.at(-1) as number) - (touched[0] as number) + 1);
        }
      },
    ),
  );
});

test('no two identities share a key, whatever characters they hold', () => {
  const text = fc.string({ maxLength: 4 });
  const identity = fc.record({ repository: text, commit: text, file: text });
  fc.assert(
    fc.property(identity, identity, (a, b) => {
      const same = a.repository === b.repository && a.commit === b.commit && a.file === b.file;
      expect(fileKey({ kind: 'hub', ...a }) === fileKey({ kind: 'hub', ...b })).toBe(same);
    }),
  );
  // A picked file that was renamed is still the same file.
  const picked = { kind: 'picked', size: 5, headerSha256: 'aa' } as const;
  expect(fileKey({ ...picked, name: 'a' })).toBe(fileKey({ ...picked, name: 'b' }));
  expect(fileName({ kind: 'url', address: 'https://x.example/d/m.gguf?sig=a/b', etag: '"1"' })).toBe('m.gguf');
});

test('a pool makes no more buffers than allowed, serves who waits in order, and forgets who left', async () => {
  const spares = new SpareBuffers(8, 1);
  const pool = new BufferPool(spares, 2);
  const one = await pool.acquire(signal);
  await pool.acquire(signal);
  expect(pool.tryAcquire()).toBeUndefined();
  const leaving = new AbortController();
  const left = pool.acquire(leaving.signal);
  const next = pool.acquire(signal);
  leaving.abort();
  await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  pool.release(one);
  expect(await next).toBe(one);
  // What a reader moved away and lost is replaced.
  structuredClone(one, { transfer: [one] });
  pool.release(one);
  const replaced = await pool.acquire(signal);
  expect(replaced.byteLength).toBe(8);
  pool.close();
  pool.release(replaced);
  // The next loop has what this one had.
  expect(new BufferPool(spares, 1).tryAcquire()).toBe(replaced);
});

test('a stored value is read into the buffer given, by every kind of stream, and one that cannot be read is none', async () => {
  const content = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);
  const blob = new Blob([content]);
  const plain = Object.assign(new Blob([content]), {
    stream: () => new Response(content).body?.pipeThrough(new TransformStream()),
  });
  const unreadable = Object.assign(new Blob([content]), {
    stream: () => new ReadableStream({ pull: (stream) => stream.error(new DOMException('', 'NotReadableError')) }),
  });
  for (const value of [blob, plain as Blob, content.slice().buffer]) {
    const { buffer, bytes } = await readValue(value, new ArrayBuffer(300_000));
    expect(buffer.byteLength).toBe(300_000);
    expect(Buffer.compare(bytes as Uint8Array, content)).toBe(0);
  }
  for (const value of [unreadable as Blob, new Blob([content, content]), new ArrayBuffer(300_001)]) {
    expect((await readValue(value, new ArrayBuffer(300_000))).bytes).toBeUndefined();
  }
});

test('locks in memory exclude each other as Web Locks do', async () => {
  const locks = createMemoryLocks();
  const release = await holdLock(locks, 'a', signal);
  expect(await tryLock(locks, 'a')).toBeUndefined();
  const other = await tryLock(locks, 'b');
  expect(other).toBeDefined();
  const leaving = new AbortController();
  const left = holdLock(locks, 'a', leaving.signal);
  const order: string[] = [];
  const waiting = holdLock(locks, 'a', signal).then((go) => {
    order.push('second');
    go();
  });
  leaving.abort();
  await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  order.push('first');
  release();
  await waiting;
  expect(order).toEqual(['first', 'second']);
  await settled();
  const again = await tryLock(locks, 'a');
  expect(again).toBeDefined();
  again?.();
  await settled();
  // A lock is let go also when its work fails, and takes the failure along.
  await expect(locks.request('a', {}, () => Promise.reject(new Error('x')))).rejects.toThrow('x');
  await settled();
  expect(await tryLock(locks, 'a')).toBeDefined();
});
