import { describe, expect, it } from 'vitest';
import { awayWindows, type Marks, markAway, WINDOW } from './away.ts';

const DAY_MS = 24 * 3600 * 1000;

function memory(): Marks {
  const kept = new Map<string, string>([['theme', 'dark']]);
  return {
    get length() {
      return kept.size;
    },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

describe('windows that are away', () => {
  it('are those that were closed or hidden and did not come back', () => {
    const marks = memory();
    expect(awayWindows(marks, 0)).toEqual([]);
    markAway(marks, true, 0);
    expect(awayWindows(marks, 1)).toEqual([WINDOW]);
    markAway(marks, false, 2);
    expect(awayWindows(marks, 3)).toEqual([]);
    expect(marks.getItem('theme')).toBe('dark');
  });

  it('stay so for every window that starts: a hidden one may be ended later', () => {
    const marks = memory();
    markAway(marks, true, 0);
    expect(awayWindows(marks, 1)).toEqual([WINDOW]);
    expect(awayWindows(marks, DAY_MS)).toEqual([WINDOW]);
  });

  it('are forgotten after a week', () => {
    const marks = memory();
    markAway(marks, true, 0);
    expect(awayWindows(marks, 8 * DAY_MS)).toEqual([]);
    expect(marks.length).toBe(1);
  });

  it('are none where the browser gives no storage', () => {
    markAway(undefined, true, 0);
    expect(awayWindows(undefined, 0)).toEqual([]);
  });
});
