import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { createMemoryLocks } from '../shards/index.ts';
import { LoadingNotes } from './loading-note.ts';

const { signal } = new AbortController();
const TINY = { window: 'one', model: 'Tiny', budgetBytes: 1000 };
const LARGE = { window: 'one', model: 'Large', budgetBytes: 1000 };
let databases = 0;
const database = () => `notes ${databases++}`;

/** The tab goes while it loads: its locks go, its note stays. */
async function dieWhileLoading(name: string): Promise<void> {
  await new Promise<void>((started) => {
    void new LoadingNotes(createMemoryLocks(), name).during(LARGE, signal, () => {
      started();
      return new Promise(() => {});
    });
  });
}

describe('the note of a load', () => {
  it('is gone when the load ends, well or not', async () => {
    const name = database();
    const notes = new LoadingNotes(createMemoryLocks(), name);
    expect(await notes.during(TINY, signal, async () => 7)).toBe(7);
    await expect(
      notes.during(TINY, signal, async () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await new LoadingNotes(createMemoryLocks(), name).takeInterruption()).toBeUndefined();
  });

  it('tells the next start of a load that the tab did not survive, once, and shrinks the budget', async () => {
    const name = database();
    await dieWhileLoading(name);
    const notes = new LoadingNotes(createMemoryLocks(), name);
    expect(await notes.takeInterruption()).toEqual({ model: 'Large', budgetBefore: 1000, budgetNow: 750 });
    expect(await notes.takeInterruption()).toBeUndefined();
    expect(await notes.shrunkBudget()).toBe(750);
  });

  it('says nothing of a page that was closed or reloaded while it loaded', async () => {
    const name = database();
    await dieWhileLoading(name);
    const notes = new LoadingNotes(createMemoryLocks(), name);
    expect(await notes.takeInterruption(['one'])).toBeUndefined();
    expect(await notes.takeInterruption()).toBeUndefined();
    expect(await notes.shrunkBudget()).toBeUndefined();
  });

  it('is left alone while another window is loading', async () => {
    const name = database();
    const locks = createMemoryLocks();
    let finish = () => {};
    let load = Promise.resolve();
    await new Promise<void>((started) => {
      load = new LoadingNotes(locks, name).during(LARGE, signal, () => {
        started();
        return new Promise<void>((resolve) => {
          finish = resolve;
        });
      });
    });
    expect(await new LoadingNotes(locks, name).takeInterruption()).toBeUndefined();
    finish();
    await load;
  });
});
