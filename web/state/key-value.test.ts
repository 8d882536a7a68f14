import 'fake-indexeddb/auto';
import { IDBObjectStore as FakeObjectStore } from 'fake-indexeddb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { browserKeyValue, type KeyValue } from './key-value.ts';

let databases = 0;
const nextDatabase = () => `kept ${++databases}`;
const grown = (more: number) => (before: number[] | undefined) => [...(before ?? []), more];

afterEach(() => {
  vi.restoreAllMocks();
});

/** The disk takes nothing more: some browsers say so when a record is put, others when the transaction ends. */
function fillDisk(when: 'put' | 'end') {
  const full = new DOMException('The disk is full.', 'QuotaExceededError');
  const put = FakeObjectStore.prototype.put;
  return vi.spyOn(FakeObjectStore.prototype, 'put').mockImplementation(function (
    this: typeof FakeObjectStore,
    ...args
  ) {
    if (when === 'put') throw full;
    const store = this as unknown as IDBObjectStore;
    const request = put.apply(store as never, args as never);
    Object.defineProperty(store.transaction, 'error', { get: () => full });
    store.transaction.commit = () => store.transaction.abort();
    return request;
  });
}

async function keptBy(database: string, key: string): Promise<unknown> {
  return browserKeyValue(database).get(key);
}

describe('what the window keeps', () => {
  it('is there for the next window, which adds to it', async () => {
    const database = nextDatabase();
    const one: KeyValue = browserKeyValue(database);
    await one.update('a', grown(1));
    const two = browserKeyValue(database);
    expect(await two.update('a', grown(2))).toEqual([1, 2]);
    expect(await one.get('a')).toEqual([1, 2]);
    expect(await one.values()).toEqual([[1, 2]]);
    expect(one.trouble.value).toBeUndefined();
  });

  it.each(['put', 'end'] as const)('is said to be lost while the disk is full (told at the %s)', async (when) => {
    const database = nextDatabase();
    const one = browserKeyValue(database);
    await one.update('a', grown(1));
    const disk = fillDisk(when);
    const told: unknown[] = [];
    one.trouble.subscribe(() => told.push(one.trouble.value));
    expect(await one.update('b', grown(7))).toEqual([7]);
    expect(told).toEqual(['full']);
    expect(await one.values()).toEqual([[1], [7]]);
    disk.mockRestore();
    expect(await keptBy(database, 'b')).toBeUndefined();
    await one.retry();
    expect(told).toEqual(['full', undefined]);
    expect(await keptBy(database, 'b')).toEqual([7]);
  });

  it('of a full disk is written with the next change that fits, on top of what another window wrote', async () => {
    const database = nextDatabase();
    const one = browserKeyValue(database);
    await one.update('a', grown(1));
    const disk = fillDisk('put');
    await one.update('a', grown(2));
    expect(one.trouble.value).toBe('full');
    disk.mockRestore();
    await browserKeyValue(database).update('a', grown(3));
    await one.set('b', 'x');
    expect(one.trouble.value).toBeUndefined();
    expect(await keptBy(database, 'a')).toEqual([1, 3, 2]);
  });

  it('is in memory, and said to be, where the browser gives no database', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('Denied.', 'SecurityError');
    });
    const one = browserKeyValue(nextDatabase());
    expect(await one.values()).toEqual([]);
    expect(one.trouble.value).toBe('refused');
    await one.set('a', 1);
    expect(await one.get('a')).toBe(1);
    expect(await one.update<number>('a', (before) => (before ?? 0) + 1)).toBe(2);
    expect(one.trouble.value).toBe('refused');
  });
});
