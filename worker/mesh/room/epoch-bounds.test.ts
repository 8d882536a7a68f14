import { expect, test } from 'vitest';
import type { Digest } from './digest.ts';
import { EpochBounds } from './epoch-bounds.ts';
import { nextEpoch } from './placement-order.ts';

const FAR = 2 ** 39;
const digest = (epochs: readonly number[], models?: Digest['models']): Digest => ({
  kind: 'digest',
  states: [],
  placements: epochs.map((epoch) => ({ model: 'm', epoch, proposer: 'p' })),
  ...(models === undefined ? {} : { models }),
});

function told(...highest: readonly number[]): EpochBounds {
  const bounds = new EpochBounds();
  highest.forEach((epoch, i) => {
    bounds.heard(`peer ${i}`, digest([epoch - 1, epoch]));
  });
  return bounds;
}

test('a thousand rounds above what peers know are taken, more are not, whatever one of them says', () => {
  for (const bounds of [told(5000), told(5000, 5000, FAR), told(5000, FAR), told(5000, 5000)]) {
    expect(bounds.mostTaken(0)).toBe(5000 + 256_000);
  }
  expect(told(FAR, FAR, 5000).mostTaken(5000)).toBe(FAR + 256_000);
});

test('who slept through thousands of proposals believes the others, not itself', () => {
  expect(told(FAR, FAR).mostTaken(5000)).toBeGreaterThan(FAR);
});

test('without a word of peers it is what the device itself knows, and where nobody knows anything there is a next', () => {
  const bounds = new EpochBounds();
  expect(bounds.mostTaken(5000)).toBe(5000 + 256_000);
  expect(bounds.mostTaken(0)).toBe(2 ** 40);
  expect(nextEpoch(bounds.mostTaken(0), 255)).toBeLessThan(2 ** 41);
  // also where all peers lie
  expect(told(2 ** 48).mostTaken(0)).toBe(2 ** 40);
  expect(told(2 ** 48).mostTaken(2 ** 40)).toBe(2 ** 40 + 256_000);
  bounds.heard('empty', digest([]));
  expect(bounds.mostTaken(5000)).toBe(5000 + 256_000);
  expect(bounds.mostKept).toBe(Number.POSITIVE_INFINITY);
});

test('what a newcomer was told first is dropped when more peers know otherwise', () => {
  const bounds = told(FAR, 5000);
  expect(bounds.mostKept).toBeGreaterThan(FAR);
  bounds.heard('third', digest([5000]));
  expect(bounds.mostKept).toBe(5000 + 256_000);
  bounds.unlinked('third');
  expect(bounds.mostKept).toBeGreaterThan(FAR);
});

test('a digest in several messages counts when all of it is here', () => {
  const bounds = told(5000);
  bounds.heard('peer 0', digest([7], [null, 'k']));
  expect(bounds.mostTaken(0)).toBe(5000 + 256_000);
  bounds.heard('peer 0', digest([9000], ['k', 'm']));
  bounds.heard('peer 0', digest([8], ['m', null]));
  expect(bounds.mostTaken(0)).toBe(9000 + 256_000);
});
