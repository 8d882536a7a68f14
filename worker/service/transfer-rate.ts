import type { TransferProgress } from '../shards/types.ts';
import { ByteRate } from './byte-rate.ts';

/** Bytes that came over the network, and those still to come. */
export type Transferred = Pick<TransferProgress, 'doneBytes' | 'totalBytes' | 'fetchedBytes' | 'arrivingBytes'>;

/**
 * Bytes a second that come over the network, and the time that is left. What is read from the cache is no download, and
 * what has come of a shard counts before the shard is whole.
 */
export class TransferRate {
  readonly #rate = new ByteRate();

  at(
    { doneBytes, totalBytes, fetchedBytes, arrivingBytes }: Transferred,
    nowMs = performance.now(),
  ): { readonly bytesPerSecond?: number; readonly secondsLeft?: number } {
    const bytes = fetchedBytes + arrivingBytes;
    if (bytes === 0) this.#rate.restart(); // the clock starts with the download
    const bytesPerSecond = this.#rate.at(bytes, nowMs);
    if (bytesPerSecond === undefined) return {};
    return { bytesPerSecond, secondsLeft: Math.max(0, totalBytes - doneBytes - arrivingBytes) / bytesPerSecond };
  }
}
