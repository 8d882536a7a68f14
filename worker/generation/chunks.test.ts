import { describe, expect, it } from 'vitest';
import { bucketFor, ChunkSizer, MAX_CHUNK_ROWS } from './chunks.ts';

describe('chunks of a prompt', () => {
  it('grow on a fast GPU until one takes about 100 ms', () => {
    const chunks = new ChunkSizer();
    for (let i = 0; i < 10; i++) chunks.measured(chunks.rows, chunks.rows * 0.7);
    expect(chunks.rows).toBe(128);
    for (let i = 0; i < 10; i++) chunks.measured(chunks.rows, chunks.rows * 0.01);
    expect(chunks.rows).toBe(MAX_CHUNK_ROWS);
  });

  it('shrink on a slow one, but not to nothing', () => {
    const chunks = new ChunkSizer();
    for (let i = 0; i < 10; i++) chunks.measured(chunks.rows, chunks.rows * 40);
    expect(chunks.rows).toBe(16);
  });

  it('are not sized by steps of a few rows, which tell of latency', () => {
    const chunks = new ChunkSizer();
    const before = chunks.rows;
    chunks.measured(1, 500);
    expect(chunks.rows).toBe(before);
  });

  it('have a program for every number of rows', () => {
    for (let rows = 1; rows <= MAX_CHUNK_ROWS; rows++) {
      expect(bucketFor(rows)).toBeGreaterThanOrEqual(rows);
      expect(bucketFor(rows)).toBeLessThan(2 * rows);
    }
    expect(() => bucketFor(MAX_CHUNK_ROWS + 1)).toThrow(RangeError);
  });
});
