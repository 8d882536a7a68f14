import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketFor, MAX_CHUNK_ROWS } from './chunks.ts';
import { Pace } from './pace.ts';

const HOLD_MS = 100;
/** A GPU that streams the weights in so many milliseconds, and computes a row in so many. */
type Cost = (rows: number) => number;
const gpu = (streamMs: number, rowMs: number): Cost => {
  return (rows) => Math.max(streamMs, rows * rowMs);
};

/** Runs chunks; the longest that one submit held the GPU. */
function run(pace: Pace, cost: Cost, chunks = 40): number {
  let longest = 0;
  for (let i = 0; i < chunks; i++) {
    const rows = pace.rows;
    const bucket = bucketFor(rows);
    const ms = cost(bucket);
    longest = Math.max(longest, ms / pace.parts(bucket));
    pace.measured(bucket, ms);
  }
  return longest;
}

describe('chunks of a prompt', () => {
  it('grow on a fast GPU until one takes about 100 ms', () => {
    const pace = new Pace(false);
    run(pace, gpu(1, 0.7));
    expect(pace.rows).toBe(128);
    run(pace, gpu(1, 0.01));
    expect(pace.rows).toBe(MAX_CHUNK_ROWS);
  });

  it('begin with a few rows in several submits, before anything is known', () => {
    const pace = new Pace(false);
    expect(pace.rows).toBeLessThanOrEqual(8);
    expect(pace.parts(pace.rows)).toBeGreaterThanOrEqual(4);
  });

  it('shrink to one row on a GPU that is slow by the row', () => {
    const pace = new Pace(false);
    run(pace, gpu(10, 90));
    expect(pace.rows).toBe(1);
    expect(pace.parts(1)).toBe(1);
  });

  it('keep many rows where they cost hardly more than one, in submits of about 100 ms', () => {
    const pace = new Pace(false);
    run(pace, gpu(300, 5));
    expect(pace.rows).toBe(64);
    expect(pace.parts(64)).toBe(4);
  });

  it('hold no GPU over 100 ms a submit once the first few rows were measured, however slow it is', () => {
    const slow = fc.record({
      streamMs: fc.double({ min: 0.1, max: 1200, noNaN: true }),
      share: fc.double({ min: 0.001, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(slow, ({ streamMs, share }) => {
        const pace = new Pace(false);
        const cost = gpu(streamMs, streamMs * share);
        run(pace, cost, 1);
        expect(run(pace, cost)).toBeLessThanOrEqual(HOLD_MS * 1.001);
      }),
    );
  });

  it('grow again after one that was slow for another reason', () => {
    const pace = new Pace(false);
    run(pace, gpu(1, 0.7));
    pace.measured(128, 9000);
    expect(pace.rows).toBeLessThan(128);
    run(pace, gpu(1, 0.7));
    expect(pace.rows).toBe(128);
  });

  it('shrink as a long conversation makes each row dearer, and grow again in the next', () => {
    const pace = new Pace(false);
    run(pace, gpu(1, 0.7));
    run(pace, gpu(1, 2.8));
    expect(pace.rows).toBe(32);
    run(pace, gpu(1, 0.7));
    expect(pace.rows).toBe(128);
  });

  it('are half as long after the device was lost in one, and what was measured stays known', () => {
    const pace = new Pace(false);
    run(pace, gpu(1, 0.7));
    pace.lost();
    expect(pace.rows).toBe(64);
    expect(run(pace, gpu(1, 0.7))).toBeLessThanOrEqual(HOLD_MS / 2);
    pace.lost();
    expect(pace.rows).toBe(32);
  });

  it('begin with fewer rows in more submits after the device was lost in the very first', () => {
    const pace = new Pace(false);
    const [rows, parts] = [pace.rows, pace.parts(pace.rows)];
    pace.lost();
    expect(pace.rows).toBe(rows / 2);
    expect(pace.parts(pace.rows)).toBe(parts * 2);
    for (let i = 0; i < 20; i++) pace.lost();
    expect(pace.rows).toBe(1);
    expect(pace.parts(1)).toBe(16);
  });

  it('are not cut where processors play the GPU: nobody else waits for it', () => {
    const pace = new Pace(true);
    expect(run(pace, gpu(1000, 500))).toBeGreaterThan(HOLD_MS);
    expect(pace.rows).toBe(16);
  });

  it('are not sized by a night in which the device slept', () => {
    const pace = new Pace(false);
    run(pace, gpu(1, 0.7));
    pace.measured(128, 8 * 3600 * 1000);
    expect(pace.rows).toBe(128);
  });
});

describe('decode steps', () => {
  it('are one submit until one took over a second, then parts of about 250 ms', () => {
    const pace = new Pace(false);
    pace.decoded(990);
    expect(pace.decodeParts).toBe(1);
    pace.decoded(1900);
    expect(pace.decodeParts).toBe(8);
    pace.decoded(1100);
    expect(pace.decodeParts).toBe(8);
  });

  it('are one submit on processors, and after a sleep', () => {
    const software = new Pace(true);
    software.decoded(5000);
    expect(software.decodeParts).toBe(1);
    const asleep = new Pace(false);
    asleep.decoded(30_000);
    expect(asleep.decodeParts).toBe(1);
  });
});
