import { expect, it } from 'vitest';
import { DeviceError, MemoryError, ModelError, RetryError, type ShoalError } from '../../worker/errors.ts';
import { Cell } from './cell.ts';
import type { Loading } from './models.ts';
import { Resumption } from './resumption.ts';

const NETWORK = new RetryError('The connection ended.');

function page() {
  const loading = new Cell<Loading | undefined>(undefined);
  let resumed = 0;
  const state = { now: 0, onScreen: true };
  const resume = async () => {
    resumed++;
    loading.set({ name: 'Large', phase: 'loading', contextTokens: 4096 });
    return true;
  };
  const resumption = new Resumption(
    { loading, resume },
    () => state.onScreen,
    () => state.now,
  );
  const fail = (error: ShoalError) => loading.set({ name: 'Large', phase: 'failed', contextTokens: 4096, error });
  return { resumption, state, fail, loading, resumed: () => resumed };
}

it('a download that broke off goes on when the network is back, once', () => {
  const { resumption, fail, resumed } = page();
  fail(NETWORK);
  expect(resumed()).toBe(0);
  resumption.woke();
  expect(resumed()).toBe(1);
  fail(NETWORK);
  expect(resumed()).toBe(1);
  resumption.woke();
  expect(resumed()).toBe(2);
});

it('one that breaks off just after the phone was unlocked goes on: its connections ended while it slept', () => {
  const { resumption, fail, resumed, state } = page();
  resumption.woke();
  state.now = 2000;
  fail(new DeviceError('The GPU was lost.', { reason: 'lost' }));
  expect(resumed()).toBe(1);
  resumption.woke();
  state.now = 60_000;
  fail(NETWORK);
  expect(resumed()).toBe(1);
});

it('nothing goes on in the background', () => {
  const { resumption, fail, resumed, state } = page();
  state.onScreen = false;
  fail(NETWORK);
  resumption.woke();
  expect(resumed()).toBe(0);
  state.onScreen = true;
  resumption.woke();
  expect(resumed()).toBe(1);
});

it('what was paused, or fails for another reason, waits for the person', () => {
  const { resumption, fail, resumed, loading } = page();
  for (const error of [
    new ModelError('Damaged.'),
    new MemoryError('Too large.'),
    new DeviceError('No GPU.', { reason: 'absent' }),
    new DeviceError('Full.', { reason: 'out-of-memory' }),
  ]) {
    fail(error);
    resumption.woke();
  }
  loading.set({ name: 'Large', phase: 'paused', contextTokens: 4096 });
  resumption.woke();
  expect(resumed()).toBe(0);
});
