import { expect, it } from 'vitest';
import type { LoadedModel } from '../../worker/api.ts';
import { IdleLoss, type IdleOutcome } from './idle-loss.ts';

const LOADED = { summary: { key: 'k', name: 'Large' }, contextTokens: 4096 } as LoadedModel;
const MINUTE_MS = 60_000;

function page(options: { kept?: boolean; loading?: boolean } = {}) {
  const state = {
    kept: true,
    loading: false,
    now: 0,
    reloads: 0,
    loaded: LOADED as LoadedModel | undefined,
    ...options,
  };
  let show = () => {};
  let onScreen = Promise.resolve();
  const models = {
    lose: () => {
      const { loaded } = state;
      state.loaded = undefined;
      return loaded;
    },
    get isLoading() {
      return state.loading;
    },
    isKept: async () => state.kept,
    reload: async (loaded: LoadedModel) => {
      state.reloads++;
      state.loaded = loaded;
      return true;
    },
  };
  const loss = new IdleLoss(
    models,
    () => onScreen,
    () => state.now,
  );
  const told: IdleOutcome[] = [];
  const lost = () => loss.lost((outcome) => told.push(outcome));
  const hide = () => {
    onScreen = new Promise((resolve) => {
      show = resolve;
    });
  };
  return { state, told, lost, hide, show: () => show() };
}

it('a GPU that is lost while nothing is asked is brought back, and not called ready meanwhile', async () => {
  const { lost, told, state } = page();
  const done = lost();
  expect(state.loaded).toBeUndefined();
  await done;
  expect(told).toEqual(['loading-again', 'back']);
  expect(state.loaded).toBe(LOADED);
});

it('not in the background: once the page is on the screen', async () => {
  const { lost, told, state, hide, show } = page();
  hide();
  const done = lost();
  await new Promise((resolve) => setTimeout(resolve));
  expect(state.reloads).toBe(0);
  show();
  await done;
  expect(told).toEqual(['loading-again', 'back']);
});

it('not for ever: one that is lost again and again is left to the person, one that held for long is not', async () => {
  const { lost, told, state } = page();
  for (let i = 0; i < 3; i++) {
    await lost();
    state.now += MINUTE_MS;
  }
  expect(state.reloads).toBe(2);
  expect(told.at(-1)).toBe('too-often');
  state.loaded = LOADED;
  state.now += 10 * MINUTE_MS;
  await lost();
  expect(state.reloads).toBe(3);
});

it('not by a download: where a part of it is gone, the person is asked', async () => {
  const { lost, told, state } = page({ kept: false });
  await lost();
  expect(told).toEqual(['loading-again', 'not-kept']);
  expect(state.reloads).toBe(0);
});

it('not in the way of another model that is loading', async () => {
  const { lost, told, state } = page({ loading: true });
  await lost();
  expect(told).toEqual([]);
  const later = page();
  later.hide();
  const done = later.lost();
  later.state.loading = true;
  later.show();
  await done;
  expect([state.reloads, later.state.reloads]).toEqual([0, 0]);
});
