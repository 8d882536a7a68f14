import type { RoomStage } from '../../api.ts';
import { ByteRate } from '../byte-rate.ts';

/** How fast devices of the room load their layers, as far as they tell. */
export class LoadRates {
  readonly #rates = new Map<string, ByteRate>();

  /** Of all loading stages of a model together; the time left is that of the last, and known when all move. */
  of(
    model: string,
    stages: readonly RoomStage[],
    nowMs: number,
  ): { readonly bytesPerSecond?: number; readonly secondsLeft?: number } {
    let bytesPerSecond = 0;
    let secondsLeft = 0;
    for (const { device, first, last, phase, doneBytes, totalBytes } of stages) {
      const key = `${model} ${device} ${first} ${last}`;
      if (phase !== 'loading' || totalBytes === 0 || doneBytes >= totalBytes) {
        this.#rates.delete(key);
        continue;
      }
      const known = this.#rates.get(key) ?? new ByteRate();
      this.#rates.set(key, known);
      const rate = known.at(doneBytes, nowMs);
      bytesPerSecond += rate ?? 0;
      secondsLeft = Math.max(
        secondsLeft,
        rate === undefined ? Number.POSITIVE_INFINITY : (totalBytes - doneBytes) / rate,
      );
    }
    if (bytesPerSecond === 0) return {};
    return secondsLeft < Number.POSITIVE_INFINITY ? { bytesPerSecond, secondsLeft } : { bytesPerSecond };
  }
}
