import { ShoalError, StorageError } from '../errors.ts';

/** The part of `navigator.storage` that the store uses. `persist` is missing in workers. */
export interface StorageFacts {
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
  if (quotaBytes === 0) return;
  const freeBytes = Math.max(0, quotaBytes - usedBytes);
  if (neededBytes <= freeBytes) return;
  throw new StorageError(
    `${name} needs ${mib(neededBytes)} more on this device, and the browser has ${mib(freeBytes)} left for this page ` +
      `(${mib(usedBytes)} of ${mib(quotaBytes)} used). Remove a model that you do not need, free disk space, or leave ` +
      'the private window: those are given little.',
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
    return new StorageError(
      `The browser has no more room for ${name}: ${mib(usedBytes)} of ${mib(quotaBytes)} are used. What has come so ` +
        'far is kept. Remove a model that you do not need or free disk space, then go on.',
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
