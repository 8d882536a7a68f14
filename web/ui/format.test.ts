import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytes,
  bytesOf,
  duration,
  parameters,
  percent,
  progressLine,
  rate,
  roughBytes,
  seconds,
  speed,
} from './format.ts';

describe('figures', () => {
  it('writes sizes in decimal units', () => {
    expect(bytes(98_362_432)).toBe('98 MB');
    expect(bytes(2_497_280_256)).toBe('2.50 GB');
    expect(bytes(19_762_150_048)).toBe('19.8 GB');
    expect(bytes(999_600_000)).toBe('1.00 GB');
    expect(bytes(9_999_000_000)).toBe('10.0 GB');
    expect(bytes(1_500)).toBe('2 KB');
    expect(roughBytes(1_073_741_824)).toBe('1.1 GB');
    expect(roughBytes(120e9)).toBe('120 GB');
  });

  it('writes done of total in the unit of the total', () => {
    expect(bytesOf(1_240_000_000, 2_500_000_000)).toBe('1.24 of 2.50 GB');
    expect(bytesOf(410_000_000, 1_830_000_000)).toBe('0.41 of 1.83 GB');
    expect(bytesOf(4_194_304, 98_362_432)).toBe('4 of 98 MB');
    expect(bytesOf(99, 90_000)).toBe('0 of 90 KB');
  });

  it('never shows more than the whole', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 40 }), (done, total) => {
        const [left, right] = bytesOf(done, total).split(' of ');
        expect(Number.parseFloat(left ?? '')).toBeLessThanOrEqual(Number.parseFloat(right ?? ''));
      }),
    );
  });

  it('writes rates and times', () => {
    expect(rate(11_800_000)).toBe('11.8 MB/s');
    expect(rate(640_000)).toBe('640 KB/s');
    expect(rate(240e6)).toBe('240 MB/s');
    expect(duration(42.4)).toBe('42 s');
    expect(duration(107)).toBe('1 min 47 s');
    expect(duration(120)).toBe('2 min');
    expect(duration(7500)).toBe('2 h 5 min');
    expect(duration(7195)).toBe('2 h');
    expect(seconds(1310)).toBe('1.3 s');
    expect(seconds(240)).toBe('0.24 s');
    expect(seconds(24_000)).toBe('24 s');
    expect(speed(12.94)).toBe('12.9');
    expect(speed(140.2)).toBe('140');
  });

  it('says only what is known of a download', () => {
    expect(progressLine({ doneBytes: 1.24e9, totalBytes: 2.5e9 })).toBe('1.24 of 2.50 GB');
    expect(progressLine({ doneBytes: 1.24e9, totalBytes: 2.5e9, bytesPerSecond: 11.8e6, secondsLeft: 107 })).toBe(
      '1.24 of 2.50 GB, 11.8 MB/s, 1 min 47 s left',
    );
  });

  it('names model sizes in words', () => {
    expect(parameters(812)).toBe('812');
    expect(parameters(260_032)).toBe('260,000');
    expect(parameters(999_600)).toBe('1 million');
    expect(parameters(134_515_008)).toBe('135 million');
    expect(parameters(1_720_574_976)).toBe('1.7 billion');
    expect(parameters(4.02e9)).toBe('4 billion');
    expect(percent(3, 8)).toBe(38);
    expect(percent(1, 0)).toBe(0);
  });
});
