import { afterAll, describe, expect, it } from 'vitest';
import { failuresOf, type Storage, TOLERANCES } from './compare.ts';
import { FAMILIES } from './families.ts';
import { ENCODINGS, Matrix } from './matrix.ts';
import { MUTATIONS } from './mutations.ts';

const opened = await Matrix.open();
const reason = 'skipped' in opened ? ` (skipped: ${opened.skipped})` : '';
/** The first of a tensor type compiles its kernels, which a software driver does slowly on busy cores. */
const CELL_TIMEOUT_MS = 600_000;

describe.skipIf(reason !== '').each(FAMILIES)(`Shoal beside llama.cpp: $name${reason}`, (family) => {
  const matrix = opened as Matrix;

  it.each(ENCODINGS)('conforms on %s weights', { timeout: CELL_TIMEOUT_MS }, async (encoding) => {
    for (const [name, comparison] of Object.entries(await matrix.compare(family, encoding))) {
      expect(failuresOf(comparison, TOLERANCES[name as Storage]), name).toEqual([]);
      expect(comparison.positions).toBeGreaterThanOrEqual(192);
      expect(comparison.entropyShare).toBeLessThan(0.9);
    }
  });

  it('fails with each fault that its parts could have', { timeout: CELL_TIMEOUT_MS }, async () => {
    const applicable = MUTATIONS.filter((mutation) => mutation.appliesTo(family, family.size));
    expect(applicable.length).toBeGreaterThanOrEqual(5);
    for (const [mutation, comparison] of await matrix.compareMutated(family, applicable)) {
      expect(failuresOf(comparison, TOLERANCES.f32), mutation.name).not.toEqual([]);
    }
  });
});

afterAll(async () => {
  if (!('skipped' in opened)) await opened.close();
});
