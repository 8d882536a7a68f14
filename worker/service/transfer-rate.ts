/** The rate is that of the last seconds: long enough to be calm, short enough to be true. */
const WINDOW_MS = 5000;
const LEAST_MS = 500;

/** Bytes a second of a transfer, and the time that is left. */
export class TransferRate {
  readonly #samples: { readonly ms: number; readonly bytes: number }[] = [];

  at(
    progress: { readonly doneBytes: number; readonly totalBytes: number },
    nowMs = performance.now(),
  ): { readonly bytesPerSecond?: number; readonly secondsLeft?: number } {
    this.#samples.push({ ms: nowMs, bytes: progress.doneBytes });
    while (this.#samples.length > 2 && nowMs - (this.#samples[1]?.ms ?? nowMs) >= WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || nowMs - first.ms < LEAST_MS) return {};
    const bytesPerSecond = ((progress.doneBytes - first.bytes) * 1000) / (nowMs - first.ms);
    if (!(bytesPerSecond > 0)) return {};
    return { bytesPerSecond, secondsLeft: (progress.totalBytes - progress.doneBytes) / bytesPerSecond };
  }
}
