import { expect, test } from 'vitest';
import { StorageError } from '../errors.ts';
import { requireRoom, storageFailure } from './quota.ts';

const storage = (usage: number, quota: number) => ({ estimate: async () => ({ usage, quota }) });
const FULL = new DOMException('full', 'QuotaExceededError');

test('a file larger than the 10 GiB that Chromium makes up is not refused beforehand', async () => {
  await requireRoom(storage(5e6, 5e6 + 10 * 2 ** 30), 20e9, 'm.gguf');
  await expect(requireRoom(storage(5e6, 5e6 + 9 * 2 ** 30), 20e9, 'm.gguf')).rejects.toThrow(StorageError);
});

test('a full disk is told with what is used of the quota, without a quota that is made up', async () => {
  const known = await storageFailure(FULL, storage(90 * 2 ** 20, 100 * 2 ** 20), 'm.gguf');
  expect(known.message).toContain('no more room for m.gguf: 90 MiB of 100 MiB are used.');
  const hidden = await storageFailure(FULL, storage(90 * 2 ** 20, 90 * 2 ** 20 + 10 * 2 ** 30), 'm.gguf');
  expect(hidden.message).toContain('this page uses 90 MiB here, and the browser does not tell how much it allows');
});
