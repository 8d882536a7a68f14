import { ShoalError, StorageError } from '../errors.ts';
import { grantedBytes, type ProbeStorage } from './room-probe.ts';

/**
 * What Chromium says is free, whatever is (seen in 156): a page's quota is told as what it uses and 10 GiB more, so that
 * the size of the disk tells nobody apart. The true one shows only when something is to be written.
 */
const MADE_UP_FREE_BYTES = 10 * 2 ** 30;

/** Chromium grants files in steps of some MiB: a refusal this near is left to the write. */
const ROUNDING_BYTES = 16 * 2 ** 20;

/** The part of `navigator.storage` that the store uses. `persist` is missing in workers. */
export interface StorageFacts extends ProbeStorage {
  estimate?(): Promise<{ usage?: number; quota?: number }>;
  persisted?(): Promise<boolean>;
  persist?(): Promise<boolean>;
}

/** What the browser allows and has promised; zeros where it does not say. */
export async function readEstimate(storage: StorageFacts | undefined) {
  const { usage = 0, quota = 0 } = (await storage?.estimate?.()) ?? {};
  return { usedBytes: usage, quotaBytes: quota, persisted: (await storage?.persisted?.()) ?? false };
}

/** Refuses a download that the browser has no room for. @throws StorageError with the figures */
export async function requireRoom(storage: StorageFacts | undefined, neededBytes: number, name: string): Promise<void> {
  const { usedBytes, quotaBytes } = await readEstimate(storage);
  const toldBytes = Math.max(0, quotaBytes - usedBytes);
  const isTold = quotaBytes > 0 && toldBytes !== MADE_UP_FREE_BYTES;
  if (isTold && neededBytes > toldBytes) {
    throw noRoom(name, neededBytes, toldBytes, `${mib(usedBytes)} of ${mib(quotaBytes)} used`);
  }
  const granted = await grantedBytes(storage, neededBytes);
  if (granted === undefined || neededBytes - granted <= ROUNDING_BYTES) return;
  throw noRoom(name, neededBytes, granted, `tried; ${mib(usedBytes)} used`);
}

function noRoom(name: string, neededBytes: number, freeBytes: number, how: string): StorageError {
  return new StorageError(
    `${name} needs ${mib(neededBytes)} more on this device, and the browser has about ${mib(freeBytes)} left for this page ` +
      `(${how}). Remove a model that you do not need, free disk space, or leave the private window: those are given ` +
      'little.',
    { neededBytes, freeBytes },
  );
}

/** What failed in the database, as something that a person can act on. */
export async function storageFailure(error: unknown, storage: StorageFacts | undefined, name: string) {
  if (error instanceof ShoalError) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  if (cause.name === 'QuotaExceededError') {
    const { usedBytes, quotaBytes } = await readEstimate(storage);
    const freeBytes = Math.max(0, quotaBytes - usedBytes);
    const used =
      freeBytes === MADE_UP_FREE_BYTES
        ? `this page uses ${mib(usedBytes)} here, and the browser does not tell how much it allows`
        : `${mib(usedBytes)} of ${mib(quotaBytes)} are used`;
    return new StorageError(
      `The browser has no more room for ${name}: ${used}. What has come so far is kept. Remove a model that you do ` +
        'not need or free disk space, then go on.',
      { freeBytes, usedBytes, quotaBytes },
      error,
    );
  }
  return new StorageError(
    `The browser's storage failed for ${name} (${cause.name}: ${cause.message}). Free disk space, or leave the ` +
      'private window, and load the page again.',
    { reason: cause.name },
    error,
  );
}

export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toLocaleString('en', { maximumFractionDigits: bytes < 100 * 2 ** 20 ? 1 : 0 })} MiB`;
}
