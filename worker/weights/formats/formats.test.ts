import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WeightFormat } from '../types.ts';
import { FORMATS, fileBytes, formatByName, tensorBytes } from './index.ts';

const shapes = (format: WeightFormat) =>
  fc.record({
    rows: fc.integer({ min: 1, max: 5 }),
    cols:
      format.blockWeights === 1
        ? fc.integer({ min: 1, max: 200 })
        : fc.integer({ min: 1, max: 5 }).map((n) => n * format.blockWeights),
  });

describe.each(FORMATS)('$name', (format) => {
  it('has rows that start at words, and 2 % more than the file at most, beyond the padding of rows', () => {
    fc.assert(
      fc.property(shapes(format), ({ rows, cols }) => {
        for (const plane of format.planes) expect(plane.rowBytes(cols) % 4).toBe(0);
        const bits = format.planes.reduce((sum, plane) => sum + plane.bits, 0);
        const fileBits = (8 * format.blockBytes) / format.blockWeights;
        expect(bits).toBeGreaterThanOrEqual(fileBits);
        expect(bits).toBeLessThanOrEqual(1.02 * fileBits);
        const least = fileBytes(format, rows, cols);
        const padding = format.blockWeights === 1 ? 31 * format.blockBytes : 2;
        const together = Math.max(...format.planes.map(({ rowsTogether = 1 }) => rowsTogether));
        const rowsMore = (together - 1) * Math.max(...format.planes.map((plane) => plane.rowBytes(cols)));
        expect(tensorBytes(format, rows, cols)).toBeGreaterThanOrEqual(least);
        expect(tensorBytes(format, rows, cols)).toBeLessThanOrEqual(1.02 * least + rows * padding + rowsMore);
      }),
    );
  });

  it('is found by its name', () => {
    expect(formatByName(format.name)).toBe(format);
  });
});
