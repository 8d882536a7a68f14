import type { TransferProgress } from './types.ts';

/** Bytes between two reports of what is arriving. */
const REPORT_STEP_BYTES = 256 * 1024;

/** Counts a transfer and reports it. */
export class Meter {
  readonly #report: ((progress: TransferProgress) => void) | undefined;
  readonly #totalBytes: number;
  #doneBytes = 0;
  #fetchedBytes = 0;
  #arrivingBytes = 0;
  #repairedShards: number;
  #unreported = 0;

  /** @param repairedBefore damaged shards that earlier reads of the file found */
  constructor(totalBytes: number, report: ((progress: TransferProgress) => void) | undefined, repairedBefore = 0) {
    this.#totalBytes = totalBytes;
    this.#report = report;
    this.#repairedShards = repairedBefore;
  }

  cached(bytes: number): void {
    this.#doneBytes += bytes;
    this.#tell();
  }

  fetched(bytes: number, repaired: boolean): void {
    this.#doneBytes += bytes;
    this.#fetchedBytes += bytes;
    this.#arrivingBytes -= bytes;
    if (repaired) this.#repairedShards++;
    this.#tell();
  }

  arriving(bytes: number): void {
    this.#arrivingBytes += bytes;
    this.#unreported += bytes;
    if (this.#unreported >= REPORT_STEP_BYTES) this.#tell();
  }

  /** Nothing is on its way any more. */
  arrived(): void {
    this.#arrivingBytes = 0;
  }

  #tell(): void {
    this.#unreported = 0;
    this.#report?.({
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      fetchedBytes: this.#fetchedBytes,
      arrivingBytes: this.#arrivingBytes,
      repairedShards: this.#repairedShards,
    });
  }
}
