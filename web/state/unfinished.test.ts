import { describe, expect, it } from 'vitest';
import type { KeyValue } from './key-value.ts';
import { type TryLocks, Unfinished } from './unfinished.ts';

const HOUR_MS = 3600 * 1000;
const KEY = 'unfinished';
const WANTED = {
  name: 'Large',
  source: { kind: 'hub', repository: 'a/b', file: 'c.gguf' },
  contextTokens: 4096,
} as const;

/** Long enough for a lock to change hands. */
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** Storage and locks that the windows of a browser share. */
function browser() {
  const kept = new Map<string, string>();
  const shared: Pick<KeyValue, 'get' | 'update'> = {
    get: async <T>(key: string) => kept.get(key) as T | undefined,
    async update<T>(key: string, change: (before: T | undefined) => T) {
      const after = change(kept.get(key) as T | undefined);
      kept.set(key, after as string);
      return after;
    },
  };
  const tails = new Map<string, Promise<unknown>>();
  const busy = new Set<string>();
  /** A window, and the way to end it. */
  const open = () => {
    let close = () => {};
    const closed = new Promise<void>((resolve) => {
      close = resolve;
    });
    const locks: TryLocks = {
      async request(name, { signal }, callback) {
        if (signal && busy.has(name)) throw new DOMException('Too late.', 'TimeoutError');
        const before = tails.get(name);
        let done = () => {};
        tails.set(
          name,
          new Promise<void>((resolve) => {
            done = resolve;
          }),
        );
        if (before) await before;
        busy.add(name);
        await Promise.race([callback(), closed]);
        busy.delete(name);
        done();
        return undefined;
      },
    };
    return { unfinished: new Unfinished(shared, locks), close };
  };
  return { kept, open };
}

describe('a download that broke off with its page', () => {
  it('goes on in the next', async () => {
    const { open } = browser();
    const one = open();
    one.unfinished.begin(WANTED, 0);
    one.close();
    await settled();
    const next = open().unfinished;
    expect(await next.take(HOUR_MS)).toEqual(WANTED);
  });

  it('is left to the window that is at it', async () => {
    const { open } = browser();
    const one = open();
    one.unfinished.begin(WANTED, 0);
    const other = open().unfinished;
    expect(await other.take(1)).toBeUndefined();
    one.close();
    await settled();
    expect(await other.take(2)).toEqual(WANTED);
    expect(await open().unfinished.take(3)).toBeUndefined();
  });

  it('does not go on once it ended or was paused', async () => {
    const { open, kept } = browser();
    const { unfinished } = open();
    unfinished.begin(WANTED, 0);
    unfinished.end();
    expect(kept.get(KEY)).toBe('');
    expect(await open().unfinished.take(1)).toBeUndefined();
  });

  it('ends without ending that of another window', async () => {
    const { open } = browser();
    const [one, two] = [open(), open()];
    one.unfinished.begin(WANTED, 0);
    two.unfinished.begin({ ...WANTED, name: 'Other' }, 1);
    one.unfinished.end();
    await settled();
    expect(await open().unfinished.take(2)).toBeUndefined();
    two.close();
    await settled();
    expect(await open().unfinished.take(2)).toMatchObject({ name: 'Other' });
  });

  it('is not gone on with a day later, nor after it was forgotten', async () => {
    const { open } = browser();
    const one = open();
    one.unfinished.begin(WANTED, 0);
    one.close();
    await settled();
    expect(await open().unfinished.take(25 * HOUR_MS)).toBeUndefined();
    const two = open();
    two.unfinished.begin(WANTED, 0);
    two.close();
    await settled();
    open().unfinished.forget();
    expect(await open().unfinished.take(1)).toBeUndefined();
  });

  it('is not written for a picked file, which no page finds again', async () => {
    const { open, kept } = browser();
    open().unfinished.begin({ name: 'Mine', source: { kind: 'picked', file: new File([], 'mine.gguf') } }, 0);
    expect(kept.size).toBe(0);
  });

  it.each(['', '{', '{}', '{"wanted":{"name":"x"},"at":0}', '{"wanted":{"name":"x","entry":"y"}}', 'null'])(
    'is none where what is kept is no such thing: %s',
    async (text) => {
      const { open, kept } = browser();
      kept.set(KEY, text);
      expect(await open().unfinished.take(1)).toBeUndefined();
    },
  );
});
