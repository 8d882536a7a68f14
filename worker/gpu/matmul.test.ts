import { describe, expect, it } from 'vitest';
import { tileFor } from './matmul.ts';

describe('the tile of a product', () => {
  it('is as small as the rows need', () => {
    expect([3, 8, 16, 24, 32, 64, 256].map((batch) => tileFor('f16', batch).rows)).toEqual([8, 8, 16, 32, 32, 64, 64]);
    expect([3, 8, 16, 32, 256].map((batch) => tileFor('f32', batch).rows)).toEqual([8, 8, 16, 32, 32]);
  });

  it('leaves few rows of a last tile empty', () => {
    expect(tileFor('f16', 72).rows).toBe(32);
    expect(tileFor('f16', 120).rows).toBe(64);
  });
});
