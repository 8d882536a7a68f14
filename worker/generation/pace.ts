import { MAX_CHUNK_ROWS, ROW_BUCKETS } from './chunks.ts';

/** No submit should hold the GPU longer: Windows and iOS end the device, and the desktop freezes. */
const HOLD_MS = 100;
/** After losses it is halved, and no further than to this. */
const LEAST_HOLD_MS = 12.5;
/** A chunk in several submits: decoding and stopping wait for all of it. */
const LONGEST_CHUNK_MS = 1000;
/** Before anything was measured. */
const FIRST_ROWS = 4;
const FIRST_PARTS = 4;
const MOST_PARTS = 16;
/** Twice the rows for less than this times the time: streaming the weights sets the pace, not the rows. */
const NEARLY_FREE = 1.5;
/** Weight of a new measurement. */
const BLEND = 0.5;
/** Processors that play a GPU are asked for nothing else: nobody waits for them, and small chunks waste them. */
const SOFTWARE_FIRST_ROWS = 32;
const SOFTWARE_LEAST_ROWS = 16;

/** A decode step that took longer is submitted in parts from then on: some systems end a device that is busy too long. */
const DECODE_SPLIT_MS = 1000;
const DECODE_PART_MS = 250;
/** What seemed to take longer was not computing: the device slept. */
const ASLEEP_MS = 20_000;

/**
 * How fast one model runs on this device, and so how much of it is submitted at once. Outlives engines and devices: what
 * was measured before a device was lost holds for the next one, which is held for half as long.
 */
export class Pace {
  readonly #software: boolean;
  /** Milliseconds of a chunk by its bucket of rows. */
  readonly #measured = new Map<number, number>();
  #holdMs = HOLD_MS;
  #firstRows: number;
  #firstParts = FIRST_PARTS;
  #decodeParts = 1;

  /** @param software the device is played by processors */
  constructor(software: boolean) {
    this.#software = software;
    this.#firstRows = software ? SOFTWARE_FIRST_ROWS : FIRST_ROWS;
  }

  /** Rows of a prompt's next chunk. */
  get rows(): number {
    if (this.#measured.size === 0) return this.#firstRows;
    let rows = this.#software ? SOFTWARE_LEAST_ROWS : 1;
    for (const bucket of ROW_BUCKETS) if (bucket > rows && this.#estimate(bucket) <= this.#holdMs) rows = bucket;
    while (!this.#software && this.#isMoreNearlyFree(rows)) rows *= 2;
    return rows;
  }

  /** Submits that a chunk is cut into, so that each holds the GPU for about 100 ms at most. */
  parts(bucket: number): number {
    if (this.#software) return 1;
    if (this.#measured.size === 0) return this.#firstParts;
    return Math.min(MOST_PARTS, Math.max(1, Math.ceil(this.#estimate(bucket) / this.#holdMs)));
  }

  /** @param ms how long the GPU took for a chunk of that bucket, in however many submits */
  measured(bucket: number, ms: number): void {
    if (ms > ASLEEP_MS && !this.#software) return;
    const before = this.#measured.get(bucket) ?? ms;
    const now = before * (1 - BLEND) + ms * BLEND;
    for (const [other, otherMs] of this.#measured) {
      const [few, many] = other < bucket ? [otherMs, now] : [now, otherMs];
      const proportion = other < bucket ? bucket / other : other / bucket;
      // more rows take no less, and no more than in proportion: what says otherwise was another context, or a bad moment
      if (few > many || many > few * proportion) this.#measured.delete(other);
    }
    this.#measured.set(bucket, now);
  }

  /** Submits of a decode step; more than one only after one took over a second. */
  get decodeParts(): number {
    return this.#decodeParts;
  }

  /** @param ms how long a decode step took, or how long it had taken when the device was lost */
  decoded(ms: number): void {
    if (this.#software || ms <= DECODE_SPLIT_MS || ms >= ASLEEP_MS) return;
    this.#decodeParts = Math.min(MOST_PARTS, Math.max(this.#decodeParts, Math.ceil(ms / DECODE_PART_MS)));
  }

  /** The device was lost in a chunk: the next one is held for half as long. */
  lost(): void {
    this.#holdMs = Math.max(LEAST_HOLD_MS, this.#holdMs / 2);
    this.#firstRows = Math.max(1, Math.floor(this.#firstRows / 2));
    this.#firstParts = Math.min(MOST_PARTS, this.#firstParts * 2);
  }

  /** Milliseconds, at most: as measured, else in proportion to fewer rows, else as more rows took. */
  #estimate(bucket: number): number {
    const measured = [...this.#measured].sort(([a], [b]) => a - b);
    const fewer = measured.findLast(([rows]) => rows <= bucket);
    if (fewer !== undefined) return (fewer[1] * bucket) / fewer[0];
    return measured[0]?.[1] ?? 0;
  }

  /** Whether twice the rows take hardly longer, or that is to be tried. */
  #isMoreNearlyFree(rows: number): boolean {
    const ms = this.#measured.get(rows);
    if (ms === undefined || rows * 2 > MAX_CHUNK_ROWS) return false;
    const twice = this.#measured.get(rows * 2);
    if (twice === undefined) return ms * 2 <= LONGEST_CHUNK_MS;
    return twice <= LONGEST_CHUNK_MS && twice < ms * NEARLY_FREE;
  }
}
