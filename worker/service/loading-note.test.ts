import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { createMemoryLocks } from '../shards/index.ts';
import { LEAST_BUDGET_BYTES, LoadingNotes } from './loading-note.ts';

const { signal } = new AbortController();
const GIB = 1024 ** 3;
const TINY = { window: 'one', model: 'Tiny', budgetBytes: GIB };
const LARGE = { window: 'one', model: 'Large', budgetBytes: GIB };
let databases = 0;
const database = () => `notes ${databases++}`;

/** The tab goes while it loads: its locks go, its note stays. */
async function dieWhileLoading(name: string, note = LARGE): Promise<void> {
  await new Promise<void>((started) => {
    void new LoadingNotes(createMemoryLocks(), name).during(note, signal, () => {
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
    expect(await notes.takeInterruption()).toEqual({ model: 'Large', budgetBefore: GIB, budgetNow: 0.75 * GIB });
    expect(await notes.takeInterruption()).toBeUndefined();
    expect(await notes.shrunkBudget()).toBe(0.75 * GIB);
  });

  it('shrinks the budget to a least one, however often, and no budget that was smaller', async () => {
    const name = database();
    let budgetBytes = GIB;
    for (let i = 0; i < 6; i++) {
      await dieWhileLoading(name, { ...LARGE, budgetBytes });
      const notes = new LoadingNotes(createMemoryLocks(), name);
      budgetBytes = (await notes.takeInterruption())?.budgetNow ?? 0;
    }
    expect(budgetBytes).toBe(LEAST_BUDGET_BYTES);
    expect(await new LoadingNotes(createMemoryLocks(), name).shrunkBudget()).toBe(LEAST_BUDGET_BYTES);
    await dieWhileLoading(name, { ...LARGE, budgetBytes: GIB / 4 });
    const notes = new LoadingNotes(createMemoryLocks(), name);
    expect(await notes.takeInterruption()).toMatchObject({ budgetBefore: GIB / 4, budgetNow: GIB / 4 });
  });

  it('says nothing of a page that was closed, or ended in the background, while it loaded', async () => {
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
