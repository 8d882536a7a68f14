import { describe, expect, it } from 'vitest';
import { pastOf } from './room-lines.ts';

describe('what is kept of a trouble', () => {
  const suspected = { kind: 'suspected', device: 'Kitchen iPad' } as const;
  const moved = { kind: 'moved', gone: ['Kitchen iPad'], devices: ['ThinkPad'] } as const;

  it('names who left and who has the layers since', () => {
    expect(pastOf([suspected, { kind: 'waiting', reason: 'loading' }, moved])).toEqual(moved);
  });

  it('is the last of several moves, which tells all of them', () => {
    const again = { kind: 'moved', gone: ['Kitchen iPad', 'ThinkPad'], devices: ['MacBook'] } as const;
    expect(pastOf([suspected, moved, { kind: 'suspected', device: 'ThinkPad' }, again])).toEqual(again);
  });

  it('is a moment of silence when no layers moved', () => {
    expect(pastOf([suspected])).toEqual({ kind: 'silent', device: 'Kitchen iPad' });
  });

  it('is a pause when nobody had room for a while', () => {
    expect(pastOf([{ kind: 'paused', missingBytes: 5e8 }])).toEqual({ kind: 'paused', missingBytes: 5e8 });
  });

  it('is nothing when an answer only waited for its turn or for loading', () => {
    expect(pastOf([{ kind: 'waiting', reason: 'busy' }])).toBeUndefined();
    expect(pastOf([{ kind: 'waiting', reason: 'loading' }])).toBeUndefined();
  });
});
