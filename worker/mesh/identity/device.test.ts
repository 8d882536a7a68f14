import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemoryLocks } from '../../shards/locks.ts';
import type { RoomKey } from '../types.ts';
import { type Device, openDevice, type RoomRecord, type SlotLocks } from './device.ts';
import { generateKey, openKey } from './device-key.ts';
import { roomOf } from './test-room.ts';

let database = '';
let locks: SlotLocks;
let count = 0;

beforeEach(() => {
  database = `devices ${count++}`;
  locks = createMemoryLocks();
});

function open(slotBefore?: number): Promise<Device> {
  return openDevice({ locks, database, slotBefore });
}

async function newRecord(lastUsed = 1): Promise<RoomRecord> {
  const maker = await openKey(await generateKey());
  const { names, roster, keys } = await roomOf(maker);
  return { secret: names.secret, keys, roster, name: 'Home', askFirst: true, askFirstChange: 0, lastUsed };
}

it('a room that was kept before makers signed its keys is returned to without them', async () => {
  const device = await open();
  const record = await newRecord();
  const [{ signature: _, ...unsigned }] = record.keys as [RoomKey];
  await device.saveRoom({ ...record, keys: [unsigned as RoomKey, ...record.keys] });
  expect(await device.rooms()).toEqual([record]);
});

describe('a window', () => {
  it('gets its own key again after a reload, with a higher incarnation', async () => {
    const { secret } = await newRecord();
    const first = await open();
    const key = await first.keyFor(secret);
    expect(first).toMatchObject({ slot: 0, incarnation: 1 });
    expect(await first.nextIncarnation()).toBe(2);
    first.close();
    const again = await open(0);
    expect(again).toMatchObject({ slot: 0, incarnation: 3 });
    expect((await again.keyFor(secret)).device).toBe(key.device);
  });

  it('beside another is another device, and takes a slot that became free', async () => {
    const { secret } = await newRecord();
    const windows = [await open(), await open(), await open()];
    expect(windows.map(({ slot }) => slot)).toEqual([0, 1, 2]);
    const ids = await Promise.all(windows.map(async (window) => (await window.keyFor(secret)).device));
    expect(new Set(ids).size).toBe(3);
    windows[1]?.close();
    const next = await open();
    expect(next.slot).toBe(1);
    expect((await next.keyFor(secret)).device).toBe(ids[1]);
  });

  it('that reloads waits for its slot until the old worker is gone', async () => {
    const [first, second] = [await open(), await open()];
    const request = vi.spyOn(locks, 'request');
    const reloaded = open(1);
    await vi.waitFor(() => expect(request).toHaveBeenCalled());
    second.close();
    expect((await reloaded).slot).toBe(1);
    first.close();
  });

  it('never shares a slot, however many open at once', async () => {
    const windows = await Promise.all(Array.from({ length: 6 }, () => open()));
    expect(windows.map(({ slot }) => slot).sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('keeps a key that cannot be read', async () => {
    const device = await open();
    const request = indexedDB.open(database);
    const stored = await new Promise<{ privateKey: CryptoKey }>((resolve, reject) => {
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const got = request.result.transaction('records').objectStore('records').get('key:0');
        got.onsuccess = () => resolve(got.result);
      };
    });
    expect(stored.privateKey.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('pkcs8', stored.privateKey)).rejects.toThrow();
    device.close();
  });
});

describe('rooms', () => {
  it('are there at the next visit, last used first', async () => {
    const first = await open();
    const [old, recent] = [await newRecord(10), await newRecord(20)];
    await first.saveRoom(old);
    await first.saveRoom(recent);
    await first.saveRoom({ ...old, name: 'Office' });
    first.close();
    const again = await open();
    expect(await again.rooms()).toEqual([recent, { ...old, name: 'Office' }]);
    await again.forgetRoom(recent.secret);
    expect(await again.rooms()).toHaveLength(1);
  });

  it('of another slot are not this window’s, and a damaged one is left out', async () => {
    const [first, second] = [await open(), await open()];
    const record = await newRecord();
    await first.saveRoom(record);
    expect(await second.rooms()).toEqual([]);
    await first.saveRoom({ ...record, roster: { ...record.roster, maker: 'nobody' } });
    expect(await first.rooms()).toEqual([]);
  });

  it('to which a removed device returns know it under a new key', async () => {
    const first = await open();
    const [one, other] = [await newRecord(), await newRecord()];
    const before = await first.keyFor(one.secret);
    const renewed = await first.renewKey(one.secret);
    expect(renewed.device).not.toBe(before.device);
    expect((await first.keyFor(one.secret)).device).toBe(renewed.device);
    expect((await first.keyFor(other.secret)).device).toBe(before.device);
    first.close();
    const again = await open();
    expect((await again.keyFor(one.secret)).device).toBe(renewed.device);
  });
});

describe('where nothing can be kept', () => {
  it('a device lasts as long as its window, and says why', async () => {
    const record = await newRecord();
    const noLocks = await openDevice({ database });
    expect(noLocks).toMatchObject({ notLasting: 'no-locks', incarnation: 1 });
    expect(noLocks.slot).toBeUndefined();
    vi.stubGlobal('indexedDB', undefined);
    try {
      const device = await open();
      expect(device.notLasting).toBe('no-storage');
      const key = await device.keyFor(record.secret);
      expect((await device.keyFor(record.secret)).device).toBe(key.device);
      expect(await device.nextIncarnation()).toBe(2);
      expect(device.incarnation).toBe(2);
      await device.saveRoom(record);
      expect(await device.rooms()).toEqual([record]);
      expect((await device.renewKey(record.secret)).device).not.toBe(key.device);
      device.close();
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
