import { describe, expect, it } from 'vitest';
import { movedLines, pastOf } from './room-lines.ts';

describe('what is kept of a trouble', () => {
  it('names who left and who computes since', () => {
    expect(
      pastOf(
        [
          { kind: 'suspected', device: 'Kitchen iPad' },
          { kind: 'waiting', reason: 'loading' },
          { kind: 'moved', devices: ['MacBook', 'ThinkPad'] },
        ],
        true,
      ),
    ).toEqual({ kind: 'moved', gone: 'Kitchen iPad', devices: ['MacBook', 'ThinkPad'] });
  });

  it('is a moment of silence when the same device goes on', () => {
    const suspected = { kind: 'suspected', device: 'Kitchen iPad' } as const;
    expect(pastOf([suspected], true)).toEqual({ kind: 'silent', device: 'Kitchen iPad' });
    expect(pastOf([suspected, { kind: 'moved', devices: ['MacBook', 'Kitchen iPad'] }], true)).toEqual({
      kind: 'silent',
      device: 'Kitchen iPad',
    });
  });

  it('is told by who computes before and after, too: not every move is announced', () => {
    const before = new Map([
      ['a', 'MacBook'],
      ['b', 'Kitchen iPad'],
    ]);
    const after = new Map([['a', 'MacBook']]);
    expect(movedLines(before, before)).toEqual([]);
    expect(movedLines(before, new Map())).toEqual([]);
    expect(pastOf(movedLines(before, after), true)).toEqual({
      kind: 'moved',
      gone: 'Kitchen iPad',
      devices: ['MacBook'],
    });
  });

  it('is a pause when nobody had room for a while', () => {
    expect(pastOf([{ kind: 'paused', missingBytes: 5e8 }], false)).toEqual({ kind: 'paused', missingBytes: 5e8 });
  });

  it('is nothing when an answer only waited for its turn or for loading', () => {
    expect(pastOf([{ kind: 'waiting', reason: 'busy' }], true)).toBeUndefined();
    const moved = { kind: 'moved', devices: ['MacBook'] } as const;
    expect(pastOf([{ kind: 'waiting', reason: 'loading' }, moved], false)).toBeUndefined();
    // a device that said goodbye was never suspected
    expect(pastOf([{ kind: 'waiting', reason: 'loading' }, moved], true)).toEqual(moved);
  });
});
