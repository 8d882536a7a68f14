import { afterEach, describe, expect, it, vi } from 'vitest';
import { keepDraft, readDraft } from './drafts.ts';

afterEach(() => {
  Reflect.deleteProperty(globalThis, 'sessionStorage');
  vi.unstubAllGlobals();
});

function storage(full = () => false) {
  const kept = new Map<string, string>();
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem(key: string, value: string) {
      if (full()) throw new DOMException('full', 'QuotaExceededError');
      kept.set(key, value);
    },
    removeItem: (key: string) => kept.delete(key),
  });
  return kept;
}

describe('what was typed and not sent', () => {
  it('is there again, for its conversation', () => {
    const kept = storage();
    keepDraft('a', 'one');
    keepDraft(undefined, 'new');
    expect([readDraft('a'), readDraft(), readDraft('b')]).toEqual(['one', 'new', '']);
    keepDraft('a', '');
    keepDraft(undefined, '');
    expect(kept.size).toBe(0);
  });

  it('is kept in memory where site data is blocked', () => {
    Object.defineProperty(globalThis, 'sessionStorage', {
      configurable: true,
      get() {
        throw new DOMException('Denied.', 'SecurityError');
      },
    });
    keepDraft('c', 'typed');
    expect(readDraft('c')).toBe('typed');
    keepDraft('c', '');
    expect(readDraft('c')).toBe('');
  });

  it('is the newest also where the storage was full for a while', () => {
    let isFull = false;
    storage(() => isFull);
    keepDraft('d', 'old');
    isFull = true;
    keepDraft('d', 'newer');
    expect(readDraft('d')).toBe('newer');
    isFull = false;
    keepDraft('d', 'newest');
    expect(readDraft('d')).toBe('newest');
  });
});
