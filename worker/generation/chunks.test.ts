import { expect, it } from 'vitest';
import { bucketFor, MAX_CHUNK_ROWS } from './chunks.ts';

it('every number of rows has a program', () => {
  for (let rows = 1; rows <= MAX_CHUNK_ROWS; rows++) {
    expect(bucketFor(rows)).toBeGreaterThanOrEqual(rows);
    expect(bucketFor(rows)).toBeLessThan(2 * rows);
  }
  expect(() => bucketFor(MAX_CHUNK_ROWS + 1)).toThrow(RangeError);
});
