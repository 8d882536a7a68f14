import { expect, test } from 'vitest';
import { movedLayers } from './moved.ts';

const stage = (device: string, first: number, last: number) => ({ device, first, last });

test('layers that stay where they are have not moved, however they are cut', () => {
  const before = [stage('a', 0, 4), stage('b', 4, 8)];
  expect(movedLayers(before, before)).toEqual({ from: [], to: [] });
  expect(movedLayers(before, [stage('a', 0, 2), stage('a', 2, 4), stage('b', 4, 8)])).toEqual({ from: [], to: [] });
});

test('who has layers now that another had is told, and who had them', () => {
  const before = [stage('a', 0, 3), stage('b', 3, 6), stage('c', 6, 9)];
  expect(movedLayers(before, [stage('a', 0, 3), stage('d', 3, 6), stage('c', 6, 9)])).toEqual({
    from: ['b'],
    to: ['d'],
  });
  // split among those who stay
  expect(movedLayers(before, [stage('a', 0, 5), stage('c', 5, 9)])).toEqual({ from: ['b'], to: ['a', 'c'] });
});
