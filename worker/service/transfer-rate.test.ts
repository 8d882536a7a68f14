import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LoadEvent } from '../api.ts';
import { Meter } from '../shards/meter.ts';
import { SHARD_BYTES } from '../shards/types.ts';
import { LoadProgress } from './load-progress.ts';

const MB = 1e6;
const CHUNK_BYTES = 64 * 1024;
type Progress = Extract<LoadEvent, { kind: 'progress' }>;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A load of so many shards, the first of which are kept. */
function load(shards: number) {
  const told: Progress[] = [];
  const progress = new LoadProgress((event) => {
    if (event.kind === 'progress') told.push(event);
  });
  const meter = new Meter(shards * SHARD_BYTES, (now) => progress.take(now));
  const last = () => told.at(-1) as Progress;
  /** Shards that come over a network of that rate. */
  const download = (count: number, bytesPerSecond: number) => {
    for (let i = 0; i < count; i++) {
      for (let came = 0; came < SHARD_BYTES; came += CHUNK_BYTES) {
        vi.advanceTimersByTime((CHUNK_BYTES / bytesPerSecond) * 1000);
        meter.arriving(CHUNK_BYTES);
      }
      meter.fetched(SHARD_BYTES, false);
    }
  };
  return { told, meter, last, download, stop: () => progress.stop() };
}

describe('the rate of a download', () => {
  it('is there on a slow network too, with the time that is left, and what came moves between shards', () => {
    const { told, download, last, stop } = load(4);
    download(2, 0.2 * MB);
    stop();
    const later = told.slice(2);
    expect(later.filter(({ bytesPerSecond }) => bytesPerSecond === undefined)).toEqual([]);
    expect(last().bytesPerSecond).toBeCloseTo(0.2 * MB, -4);
    expect(last().secondsLeft).toBeCloseTo((2 * SHARD_BYTES) / (0.2 * MB), 0);
    const amounts = told.map(({ doneBytes, arrivingBytes }) => doneBytes + arrivingBytes);
    expect(amounts.every((bytes, i) => i === 0 || bytes >= (amounts[i - 1] ?? 0))).toBe(true);
    expect(new Set(amounts).size).toBeGreaterThan(16);
  });

  it('does not count what is read from the cache', () => {
    const { meter, download, last, told, stop } = load(500);
    for (let i = 0; i < 450; i++) {
      vi.advanceTimersByTime(9);
      meter.cached(SHARD_BYTES);
    }
    expect(told.filter(({ bytesPerSecond }) => bytesPerSecond !== undefined)).toEqual([]);
    download(3, 2 * MB);
    stop();
    expect(last().bytesPerSecond).toBeCloseTo(2 * MB, -5);
    expect(last().secondsLeft).toBeCloseTo((47 * SHARD_BYTES) / (2 * MB), -1);
  });

  it('falls while nothing comes, and goes', () => {
    const { download, last, told, stop } = load(4);
    download(1, 4 * MB);
    const before = last().bytesPerSecond ?? 0;
    expect(before).toBeGreaterThan(0);
    vi.advanceTimersByTime(3000);
    expect(last().bytesPerSecond).toBeLessThan(before / 2);
    vi.advanceTimersByTime(6000);
    expect(last()).not.toHaveProperty('bytesPerSecond');
    stop();
    const count = told.length;
    vi.advanceTimersByTime(5000);
    expect(told).toHaveLength(count);
  });
});
