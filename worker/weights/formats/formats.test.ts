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
  it('has rows that start at words, and no more bits a weight than the file beyond the padding of a row', () => {
    fc.assert(
      fc.property(shapes(format), ({ rows, cols }) => {
        for (const plane of format.planes) expect(plane.rowBytes(cols) % 4).toBe(0);
        const bits = format.planes.reduce((sum, plane) => sum + plane.bits, 0);
        expect(bits).toBe((8 * format.blockBytes) / format.blockWeights);
        const padding = format.blockWeights === 1 ? 31 * format.blockBytes : 2;
        expect(tensorBytes(format, rows, cols)).toBeGreaterThanOrEqual(fileBytes(format, rows, cols));
        expect(tensorBytes(format, rows, cols)).toBeLessThanOrEqual(fileBytes(format, rows, cols) + rows * padding);
      }),
    );
  });

  it('is found by its name', () => {
    expect(formatByName(format.name)).toBe(format);
  });
});
