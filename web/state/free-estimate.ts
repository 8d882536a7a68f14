import type { StorageReport } from '../../worker/api.ts';

/**
 * Bytes that the browser says it would still keep; undefined where it says nothing. An estimate and no more: Chromium
 * tells pages a made-up quota so that the size of the disk gives nobody away. A download tries for itself.
 */
export function freeEstimate(storage: StorageReport | undefined): number | undefined {
  if (storage === undefined || storage.quotaBytes <= 0) return undefined;
  return Math.max(0, storage.quotaBytes - storage.usedBytes);
}
