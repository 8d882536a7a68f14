import { describe, expect, it } from 'vitest';
import type { RoomStage } from '../../api.ts';
import { LoadRates } from './load-rates.ts';

const stage = (device: string, doneBytes: number, totalBytes = 100e6): RoomStage => ({
  device,
  first: 0,
  last: 10,
  phase: doneBytes >= totalBytes ? 'ready' : 'loading',
  doneBytes,
  totalBytes,
});

describe('how fast a model comes to the room', () => {
  it('is the sum of its devices, and takes as long as the last of them', () => {
    const rates = new LoadRates();
    expect(rates.of('m', [stage('a', 0), stage('b', 0)], 0)).toEqual({});
    expect(rates.of('m', [stage('a', 10e6), stage('b', 20e6)], 1000)).toEqual({ bytesPerSecond: 30e6, secondsLeft: 9 });
  });

  it('tells no time while a device stands still, and none of those that are done', () => {
    const rates = new LoadRates();
    rates.of('m', [stage('a', 0), stage('b', 0), stage('c', 90e6)], 0);
    const now = rates.of('m', [stage('a', 10e6), stage('b', 0), stage('c', 100e6)], 1000);
    expect(now).toEqual({ bytesPerSecond: 10e6 });
  });

  it('begins anew with a load that does', () => {
    const rates = new LoadRates();
    rates.of('m', [stage('a', 0)], 0);
    rates.of('m', [stage('a', 50e6)], 1000);
    expect(rates.of('m', [stage('a', 1e6)], 2000)).toEqual({});
    expect(rates.of('m', [stage('a', 11e6)], 3000)).toEqual({ bytesPerSecond: 10e6, secondsLeft: 8.9 });
  });
});
