/** Buckets of rows for which programs are recorded. */
export const ROW_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const;
export const MAX_CHUNK_ROWS = 256;

/** No chunk of a prompt should hold the GPU longer: Windows and iOS end the device, and the desktop freezes. */
const CHUNK_MS = 100;
/** Of a first prompt, before the rate is known. */
export const FIRST_CHUNK_ROWS = 32;
const LEAST_CHUNK_ROWS = 16;
/** Weight of a new measurement. */
const BLEND = 0.5;

export function bucketFor(rows: number): number {
  const bucket = ROW_BUCKETS.find((size) => size >= rows);
  if (bucket === undefined)
    throw new RangeError(`A step of ${rows} rows is over the largest bucket, ${MAX_CHUNK_ROWS}.`);
  return bucket;
}

/** Sizes prefill chunks by the rate that was measured, so that each takes about 100 ms. */
export class ChunkSizer {
  #msPerRow: number | undefined;

  get rows(): number {
    if (this.#msPerRow === undefined) return FIRST_CHUNK_ROWS;
    const affordable = CHUNK_MS / this.#msPerRow;
    let rows = LEAST_CHUNK_ROWS;
    for (const bucket of ROW_BUCKETS) if (bucket > rows && bucket <= affordable) rows = bucket;
    return rows;
  }

  /** @param ms how long the GPU took for a chunk whose bucket held `rows` */
  measured(rows: number, ms: number): void {
    if (rows < LEAST_CHUNK_ROWS) return; // small ones tell of latency, not of rate
    const msPerRow = ms / rows;
    this.#msPerRow = this.#msPerRow === undefined ? msPerRow : this.#msPerRow * (1 - BLEND) + msPerRow * BLEND;
  }
}
