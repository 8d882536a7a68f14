import { describe, expect, it } from 'vitest';
import type { CatalogueEntry } from '../../worker/api.ts';
import { suggest } from './suggest.ts';

const BUDGET = 4e9;
function entry(id: string, gigabytes: number): CatalogueEntry {
  const totalBytes = gigabytes * 1e9 * 1.2;
  return {
    id,
    name: id,
    parameters: gigabytes * 1.6e9,
    layers: 28,
    repository: `someone/${id}`,
    quantization: 'Q4_K_M',
    downloadBytes: gigabytes * 1e9,
    contextTokens: 4096,
    about: '',
    fit: {
      verdict: totalBytes <= BUDGET ? 'fits' : 'too-large',
      weightsBytes: gigabytes * 1e9,
      kvBytes: 0,
      scratchBytes: 0,
      totalBytes,
      budgetBytes: BUDGET,
      contextTokens: 4096,
      layersThatFit: 28,
    },
  };
}

describe('suggestions for a first visit', () => {
  const all = [
    entry('tiny', 0.1),
    entry('small', 0.4),
    entry('half', 1.2),
    entry('best', 2.5),
    entry('tight', 3.2),
    entry('huge', 9),
  ];

  it('offers the largest that fits with room to spare, one of half its size, and the smallest', () => {
    expect(suggest(all, false).map((e) => e.id)).toEqual(['best', 'half', 'tiny']);
  });
  it('puts the smallest first where the processor has to compute', () => {
    expect(suggest(all, true).map((e) => e.id)).toEqual(['tiny', 'small', 'half']);
  });
  it('takes a tight fit when nothing else fits, and nothing when nothing does', () => {
    expect(suggest([entry('tight', 3.2)], false).map((e) => e.id)).toEqual(['tight']);
    expect(suggest([entry('huge', 9)], false)).toEqual([]);
  });
});
