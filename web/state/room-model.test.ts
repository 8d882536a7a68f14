import { describe, expect, it } from 'vitest';
import type { RoomDevice, RoomModelView, RoomStage } from '../../worker/api.ts';
import { isModelPreparing, loadedBytes, readersOf, roomMemory, stageParts } from './room-model.ts';

const stage = (device: string, first: number, last: number, rest: Partial<RoomStage> = {}): RoomStage => ({
  ...{ device, first, last, phase: 'ready', doneBytes: 100, totalBytes: 100 },
  ...rest,
});
const model = (stages: readonly RoomStage[]): RoomModelView => ({
  ...{ model: 'm', name: 'Tiny', layers: 10, contextTokens: 4096, phase: 'loading', answers: 0 },
  stages,
});
const device = (id: string, rest: Partial<RoomDevice> = {}): RoomDevice => ({
  ...{ device: id, name: id.toUpperCase(), own: false, presence: 'here', platform: 'mac', compute: true },
  ...{ budgetBytes: 10, freeBytes: 4, ...rest },
});

describe('a model of the room', () => {
  it('is drawn in the order of its layers, whole, arriving, awaited or missing', () => {
    const parts = stageParts(
      model([
        stage('c', 8, 10, { phase: 'away' }),
        stage('b', 4, 8, { phase: 'loading', doneBytes: 60 }),
        stage('a', 0, 4),
      ]),
    );
    expect(parts.map(({ layers, full, now, rest }) => [layers, full, now, rest])).toEqual([
      [4, 4, undefined, 'none'],
      [4, 2, 2, 'none'],
      [2, 0, undefined, 'hole'],
    ]);
    expect(stageParts(model([stage('a', 0, 4, { phase: 'loading' })]))[0]).not.toHaveProperty('now');
  });

  it('is one part where a device took over the layers of its neighbour', () => {
    const parts = stageParts(model([stage('a', 0, 4), stage('a', 4, 8), stage('b', 8, 10)]));
    expect(parts.map(({ stage: { device: id, first, last } }) => [id, first, last])).toEqual([
      ['a', 0, 8],
      ['b', 8, 10],
    ]);
  });

  it('counts its bytes over the devices', () => {
    expect(loadedBytes(model([stage('a', 0, 4), stage('b', 4, 8, { doneBytes: 20, totalBytes: 300 })]))).toEqual({
      done: 120,
      total: 400,
    });
  });

  it('is being prepared once all that its devices are to have is there', () => {
    const here = stage('b', 4, 8, { phase: 'loading' });
    const arriving = stage('c', 8, 10, { phase: 'loading', doneBytes: 60 });
    expect(isModelPreparing(model([stage('a', 0, 4), here]))).toBe(true);
    expect(isModelPreparing(model([stage('a', 0, 4), here, arriving]))).toBe(false);
    expect(isModelPreparing(model([here, stage('c', 8, 10, { phase: 'waiting' })]))).toBe(false);
    expect(isModelPreparing({ ...model([stage('a', 0, 10)]), phase: 'ready' })).toBe(false);
  });

  it('is read by those who hold its ends', () => {
    const devices = ['a', 'b', 'c'].map((id) => device(id));
    expect(readersOf(model([stage('b', 3, 6), stage('a', 0, 3), stage('c', 6, 10)]), devices)).toEqual(['A', 'C']);
    expect(readersOf(model([stage('b', 0, 10)]), devices)).toEqual(['B']);
  });

  it('may take what the devices give that are here and compute', () => {
    const devices = [device('a'), device('b', { presence: 'away' }), device('c', { compute: false }), device('d')];
    expect(roomMemory({ devices })).toEqual({ devices: 2, freeBytes: 8, budgetBytes: 20 });
  });
});
