import { afterEach, expect, test, vi } from 'vitest';
import type { SessionHead, StoredSession } from '../../mesh/room/io.ts';
import { sessionOf } from './session-id.ts';
import { eraseConversation, SessionStore } from './session-store.ts';

afterEach(() => vi.useRealTimers());

function headOf(last: number): SessionHead {
  return {
    session: 's',
    model: 'm',
    attempts: { last, forgotten: 0, kept: [[last, 1]] },
    answering: true,
    limit: 99,
    stopTokens: [],
    sampler: null,
  };
}

function openStore() {
  const disk = new Map<string, unknown>();
  const told = { stored: [] as number[], failures: [] as unknown[], recoveries: 0 };
  const state = { set: async (key: string, value: unknown) => void disk.set(key, value) };
  const records = {
    set: (key: string, value: unknown) => state.set(key, value),
    delete: async (key: string) => void disk.delete(key),
    startingWith: async (prefix: string) => [...disk].filter(([key]) => key.startsWith(prefix)).map(([, v]) => v),
  };
  const open = () =>
    new SessionStore({
      records,
      prefix: 'd:',
      stored: (_, ticket) => told.stored.push(ticket),
      failed: (error) => told.failures.push(error),
      recovered: () => told.recoveries++,
    });
  return { disk, told, state, open };
}

const quota = async () => {
  throw new DOMException('full', 'QuotaExceededError');
};

test('after a write that failed the next load believes no stage, and the person hears of it once', async () => {
  const { disk, told, state, open } = openStore();
  const store = open();
  store.store({ kind: 'store', ticket: 1, head: headOf(3), from: 0, tokens: [1, 2, 3] });
  await store.settled();
  const works = state.set;
  // the disk is full for what is longer than a mark
  state.set = async (key, value) => ((value as StoredSession).tokens.length > 0 ? quota() : works(key, value));
  for (let ticket = 2; ticket <= 4; ticket++) {
    store.store({ kind: 'store', ticket, head: headOf(3 + ticket), from: 0, tokens: [1, 9, 9, 9] });
    await store.settled();
  }
  expect(told.stored).toEqual([1, 2, 3, 4]);
  expect(told.failures).toHaveLength(1);
  expect(disk.size).toBe(1);
  const [restored] = await open().restore();
  expect(restored?.tokens).toEqual([]);
  expect(restored?.head.attempts.last).toBeGreaterThan(1000);
  expect(restored?.head.attempts).toMatchObject({ forgotten: (restored?.head.attempts.last ?? 0) + 1, kept: [] });
  // the disk has room again
  state.set = works;
  store.store({ kind: 'store', ticket: 5, head: headOf(9), from: 4, tokens: [7] });
  await store.settled();
  expect((await open().restore())[0]).toMatchObject({ tokens: [1, 9, 9, 9, 7], head: { attempts: { last: 9 } } });
  state.set = quota;
  store.store({ kind: 'store', ticket: 6, head: headOf(10), from: 5, tokens: [7] });
  await store.settled();
  expect(told.failures).toHaveLength(2);
  expect(disk.size).toBe(0);
});

test('a write that never ends holds the answer up for ten seconds', async () => {
  vi.useFakeTimers();
  const { told, state, open } = openStore();
  const store = open();
  state.set = () => new Promise(() => {});
  store.store({ kind: 'store', ticket: 1, head: headOf(1), from: 0, tokens: [1] });
  await vi.advanceTimersByTimeAsync(9000);
  expect(told.stored).toEqual([]);
  await vi.advanceTimersByTimeAsync(12_000);
  expect(told.stored).toEqual([1]);
  expect(told.failures).toMatchObject([{ remedy: 'free-storage' }]);
});

test('after a write that did not end in time nobody waits for the disk until it comes back, then it has all', async () => {
  vi.useFakeTimers();
  const { disk, told, state, open } = openStore();
  const store = open();
  const works = state.set;
  let comeBack = () => {};
  const back = new Promise<void>((resolve) => {
    comeBack = resolve;
  });
  state.set = async (key, value) => back.then(() => works(key, value));
  const write = (session: string, ticket: number, from: number) =>
    store.store({ kind: 'store', ticket, head: { ...headOf(1), session }, from, tokens: [ticket] });
  write('s', 1, 0);
  write('other', 2, 0);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told.stored).toEqual([1, 2]);
  for (let ticket = 3; ticket <= 40; ticket++) {
    write('s', ticket, ticket - 2);
    await vi.advanceTimersByTimeAsync(1);
    expect(told.stored.at(-1)).toBe(ticket);
  }
  expect(told.failures).toHaveLength(1);
  state.set = works;
  comeBack();
  await vi.advanceTimersByTimeAsync(10_000);
  await store.settled();
  const tokens = [1, ...Array.from({ length: 38 }, (_, i) => i + 3)];
  expect(disk.get('d:s')).toMatchObject({ tokens });
  expect(disk.get('d:other')).toMatchObject({ tokens: [2] });
  // from now on what is asked for waits for the disk
  let done = () => {};
  state.set = () =>
    new Promise((resolve) => {
      done = () => resolve(undefined);
    });
  write('s', 41, 39);
  await vi.advanceTimersByTimeAsync(5000);
  expect(told.stored.at(-1)).toBe(40);
  done();
  await vi.advanceTimersByTimeAsync(1);
  expect(told.stored.at(-1)).toBe(41);
});

test('a session that was erased meanwhile is not marked', async () => {
  const { disk, state, open } = openStore();
  const store = open();
  let fail = () => {};
  state.set = () => new Promise((_, reject) => (fail = () => reject(new Error('full'))));
  store.store({ kind: 'store', ticket: 1, head: headOf(1), from: 0, tokens: [1] });
  await Promise.resolve();
  await store.erase('s');
  state.set = async (key, value) => void disk.set(key, value);
  fail();
  await store.settled();
  expect(disk.size).toBe(0);
});

test('a deleted conversation leaves nothing on the disk, whichever device of this browser drove it', async () => {
  const disk = new Map<string, unknown>();
  for (const device of ['one', 'two']) {
    for (const conversation of ['gone', 'kept']) {
      disk.set(`${device}:${await sessionOf(conversation, device)}`, conversation);
    }
  }
  const records = { keys: async () => [...disk.keys()], delete: async (key: string) => void disk.delete(key) };
  await eraseConversation(records, 'gone');
  expect([...disk.values()]).toEqual(['kept', 'kept']);
});

test('a disk that works again is told, once', async () => {
  const { told, state, open } = openStore();
  const store = open();
  const works = state.set;
  state.set = quota;
  store.store({ kind: 'store', ticket: 1, head: headOf(1), from: 0, tokens: [1] });
  await store.settled();
  expect(told).toMatchObject({ failures: [expect.anything()], recoveries: 0 });
  state.set = works;
  for (const ticket of [2, 3]) {
    store.store({ kind: 'store', ticket, head: headOf(1), from: ticket - 1, tokens: [1] });
    await store.settled();
  }
  expect(told.recoveries).toBe(1);
});

test('what was asked for before the disk gave its sessions is not set back', async () => {
  const { disk, open } = openStore();
  const before = open();
  before.store({ kind: 'store', ticket: 1, head: headOf(1), from: 0, tokens: [1, 2, 3, 4] });
  await before.settled();
  const store = open();
  const restoring = store.restore();
  store.store({ kind: 'store', ticket: 1, head: headOf(2), from: 0, tokens: [1, 2, 9, 9, 9, 9] });
  expect(await restoring).toEqual([]);
  store.store({ kind: 'store', ticket: 2, head: headOf(2), from: 6, tokens: [50] });
  await store.settled();
  expect((disk.get('d:s') as StoredSession).tokens).toEqual([1, 2, 9, 9, 9, 9, 50]);
});
