/** The rate is that of the last seconds: long enough to be calm, short enough to be true. */
const WINDOW_MS = 5000;
const LEAST_MS = 500;

/** Bytes a second of something that grows. */
export class ByteRate {
  readonly #samples: { readonly ms: number; readonly bytes: number }[] = [];

  /** @returns undefined in the first moments, and while nothing comes */
  at(bytes: number, nowMs: number): number | undefined {
    const samples = this.#samples;
    if (bytes < (samples.at(-1)?.bytes ?? 0)) samples.length = 0; // it began anew
    samples.push({ ms: nowMs, bytes });
    while (samples.length > 2 && nowMs - (samples[1]?.ms ?? nowMs) >= WINDOW_MS) samples.shift();
    const first = samples[0];
    if (first === undefined || nowMs - first.ms < LEAST_MS) return undefined;
    const rate = ((bytes - first.bytes) * 1000) / (nowMs - first.ms);
    return rate > 0 ? rate : undefined;
  }

  /** The clock starts anew. */
  restart(): void {
    this.#samples.length = 0;
  }
}
