/** Buckets of rows for which programs are recorded. */
export const ROW_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const;
export const MAX_CHUNK_ROWS = 256;

export function bucketFor(rows: number): number {
  const bucket = ROW_BUCKETS.find((size) => size >= rows);
  if (bucket === undefined)
    throw new RangeError(`A step of ${rows} rows is over the largest bucket, ${MAX_CHUNK_ROWS}.`);
  return bucket;
}
