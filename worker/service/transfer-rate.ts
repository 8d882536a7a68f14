import type { TransferProgress } from '../shards/types.ts';

/** The rate is that of the last seconds: long enough to be calm, short enough to be true. */
const WINDOW_MS = 5000;
const LEAST_MS = 500;

/** Bytes that came over the network, and those still to come. */
export type Transferred = Pick<TransferProgress, 'doneBytes' | 'totalBytes' | 'fetchedBytes' | 'arrivingBytes'>;

/**
 * Bytes a second that come over the network, and the time that is left. What is read from the cache is no download, and
 * what has come of a shard counts before the shard is whole.
 */
export class TransferRate {
  readonly #samples: { readonly ms: number; readonly bytes: number }[] = [];

  at(
    { doneBytes, totalBytes, fetchedBytes, arrivingBytes }: Transferred,
    nowMs = performance.now(),
  ): { readonly bytesPerSecond?: number; readonly secondsLeft?: number } {
    const samples = this.#samples;
    const bytes = fetchedBytes + arrivingBytes;
    if (bytes === 0) samples.length = 0; // the clock starts with the download
    samples.push({ ms: nowMs, bytes });
    while (samples.length > 2 && nowMs - (samples[1]?.ms ?? nowMs) >= WINDOW_MS) samples.shift();
    const first = samples[0];
    if (first === undefined || nowMs - first.ms < LEAST_MS) return {};
    const bytesPerSecond = ((bytes - first.bytes) * 1000) / (nowMs - first.ms);
    if (!(bytesPerSecond > 0)) return {};
    return { bytesPerSecond, secondsLeft: Math.max(0, totalBytes - doneBytes - arrivingBytes) / bytesPerSecond };
  }
}
