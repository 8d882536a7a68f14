import { expect, test } from 'vitest';
import { StorageError } from '../errors.ts';
import { requireRoom, storageFailure } from './quota.ts';

const storage = (usage: number, quota: number) => ({ estimate: async () => ({ usage, quota }) });
const FULL = new DOMException('full', 'QuotaExceededError');

test('a file larger than the 10 GiB that Chromium makes up is not refused beforehand', async () => {
  await requireRoom(storage(5e6, 5e6 + 10 * 2 ** 30), 20e9, 'm.gguf');
  await expect(requireRoom(storage(5e6, 5e6 + 9 * 2 ** 30), 20e9, 'm.gguf')).rejects.toThrow(StorageError);
});

/** A private file system that grants so many bytes and counts what it holds. */
function fileSystem(grants: number) {
  const held = new Map<string, number>();
  const reserved: number[] = [];
  const getDirectory = async () => ({
    getFileHandle: async (name: string) => ({
      createSyncAccessHandle: async () => ({
        truncate: (bytes: number) => {
          reserved.push(bytes);
          if (bytes > grants) throw FULL;
          held.set(name, bytes);
        },
        close: () => {},
      }),
    }),
    removeEntry: async (name: string) => void held.delete(name),
  });
  return { held, reserved, getDirectory };
}

test('where the browser hides its quota, a download that it would break off is refused before, with the figure', async () => {
  const hidden = storage(5e6, 5e6 + 10 * 2 ** 30);
  const small = fileSystem(100 * 2 ** 20);
  const refused = await requireRoom({ ...hidden, ...small }, 400 * 2 ** 20, 'm.gguf').catch((error) => error);
  expect(refused).toBeInstanceOf(StorageError);
  expect(refused.message).toContain('m.gguf needs 400 MiB more on this device');
  expect(refused.details.freeBytes).toBeGreaterThan(90 * 2 ** 20);
  expect(refused.details.freeBytes).toBeLessThanOrEqual(100 * 2 ** 20);
  expect(small.reserved.length).toBeLessThan(12);
  expect(small.held.size).toBe(0);
  await requireRoom({ ...hidden, ...fileSystem(395 * 2 ** 20) }, 400 * 2 ** 20, 'm.gguf'); // near: the write tells
  const large = fileSystem(500 * 2 ** 20);
  await requireRoom({ ...hidden, ...large }, 400 * 2 ** 20, 'm.gguf');
  expect(large.reserved).toEqual([2 ** 50, 400 * 2 ** 20]);
  expect(large.held.size).toBe(0);
});

test('a room that cannot be tried is left to the write', async () => {
  const hidden = storage(5e6, 5e6 + 10 * 2 ** 30);
  const getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'));
  await requireRoom({ ...hidden, getDirectory }, 400 * 2 ** 20, 'm.gguf');
  const unchecked = fileSystem(Number.POSITIVE_INFINITY); // a private window: a size that it grants takes memory
  await requireRoom({ ...hidden, ...unchecked }, 400 * 2 ** 20, 'm.gguf');
  expect(unchecked.reserved).toEqual([2 ** 50]);
  const busy = async () => ({
    getFileHandle: () => Promise.reject(new DOMException('held', 'NoModificationAllowedError')),
    removeEntry: async () => {},
  });
  await requireRoom({ ...hidden, getDirectory: busy }, 400 * 2 ** 20, 'm.gguf');
});

test('a full disk is told with what is used of the quota, without a quota that is made up', async () => {
  const known = await storageFailure(FULL, storage(90 * 2 ** 20, 100 * 2 ** 20), 'm.gguf');
  expect(known.message).toContain('no more room for m.gguf: 90 MiB of 100 MiB are used.');
  const hidden = await storageFailure(FULL, storage(90 * 2 ** 20, 90 * 2 ** 20 + 10 * 2 ** 30), 'm.gguf');
  expect(hidden.message).toContain('this page uses 90 MiB here, and the browser does not tell how much it allows');
});
