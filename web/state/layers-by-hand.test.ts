import { expect, it } from 'vitest';
import type { RoomDevice, RoomModelView } from '../../worker/api.ts';
import { handsOf, moved, withLayers } from './layers-by-hand.ts';

const device = (name: string, freeBytes: number, options: Partial<RoomDevice> = {}): RoomDevice => ({
  ...{ device: name, name, own: false, presence: 'here', platform: 'mac', compute: true, budgetBytes: 9e9, freeBytes },
  ...options,
});
const stage = (name: string, first: number, last: number) => ({
  ...{ device: name, first, last, phase: 'ready' as const, doneBytes: 0, totalBytes: 0 },
});
const model: RoomModelView = {
  ...{ model: 'm', name: 'M', layers: 12, contextTokens: 4096, phase: 'ready', answers: 0 },
  stages: [stage('b', 8, 12), stage('a', 0, 5), stage('gone', 5, 8)],
};
const devices = [
  device('small', 1e9),
  device('b', 0),
  device('large', 5e9),
  device('a', 2e9),
  device('away', 9e9, { presence: 'away' }),
  device('chats', 0, { compute: false }),
];

it('begins as the model lies; those without layers follow, the one with most room first', () => {
  const given = handsOf({ devices }, model);
  expect(given.map(({ name, layers }) => [name, layers])).toEqual([
    ['a', 5],
    ['b', 4],
    ['large', 0],
    ['small', 0],
  ]);
});

it('counts stay between none and all', () => {
  const given = handsOf({ devices }, model);
  const layersOf = (layers: number) => withLayers(given, 'b', layers, 12).find((each) => each.device === 'b')?.layers;
  expect([3.4, -1, 13, Number.NaN].map(layersOf)).toEqual([3, 0, 12, 0]);
  expect(withLayers(given, 'b', 1, 12).filter((each) => each.device !== 'b')).toEqual(
    given.filter((each) => each.device !== 'b'),
  );
});

it('a device moves before the one above it', () => {
  const given = handsOf({ devices }, model);
  expect(moved(given, 2).map(({ name }) => name)).toEqual(['a', 'large', 'b', 'small']);
  expect(moved(given, 1).map(({ name }) => name)).toEqual(['b', 'a', 'large', 'small']);
  expect(moved(given, 0)).toBe(given);
});
