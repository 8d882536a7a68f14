import { expect, it } from 'vitest';
import type { Gpu } from '../../gpu/device.ts';
import type { Input } from '../../mesh/room/io.ts';
import { MemoryClaims } from '../memory-claims.ts';
import { ROOM_SLOTS, type RoomModels } from './room-models.ts';
import { RoomStages, type RoomStagesOptions } from './room-stages.ts';
import type { Rows } from './rows.ts';
import type { LoadWork, StageWork } from './stage-work.ts';

const STAGE = { model: 'm', first: 0, last: 4 };

/** A device whose GPU is not here: what its stages say to the room, and what a load is given. */
function makeStages(more: Partial<RoomStagesOptions> = {}) {
  const said: Input<Rows>[] = [];
  const loads: LoadWork[] = [];
  const freed: number[] = [];
  const executor: StageWork['executor'] = {
    begin() {},
    setSampler() {},
    run() {},
    halt() {},
    free: (slot) => freed.push(slot),
    close() {},
  };
  const stages = new RoomStages({
    models: {} as RoomModels,
    claims: new MemoryClaims(undefined),
    openGpu: async () => ({ failure: new Promise(() => {}), close() {}, ledger: {} }) as unknown as Gpu,
    budgetBytes: () => 1e9,
    wire: 'f32',
    feed: (input) => said.push(input),
    onTrouble: () => {},
    loadWork: async (_, options) => {
      loads.push(options);
      await options.openGpu();
      options.signal.throwIfAborted();
      return { executor, spec: { hiddenSize: 4, vocabulary: 100 }, free() {} };
    },
    ...more,
  });
  return { stages, said, loads, freed };
}

/** Lets what waits for promises go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

const begin = (slot: number) =>
  ({ kind: 'begin', stage: STAGE, slot, session: `session ${slot}`, attempt: 1, keep: 0 }) as const;

it('a slot that was lost makes room for another conversation', async () => {
  const { stages, said, loads, freed } = makeStages();
  stages.load(STAGE);
  await settle();
  for (let slot = 0; slot < ROOM_SLOTS; slot++) stages.begin(begin(slot));
  loads[0]?.onSlotLost(4);
  expect(said.slice(1)).toEqual([{ kind: 'slot-lost', slot: 4, session: 'session 4' }]);
  // the room knows of no slot 4 any more, and may name the next one as it likes
  said.length = 0;
  stages.begin(begin(ROOM_SLOTS));
  expect(said).toEqual([]);
  stages.begin(begin(ROOM_SLOTS + 1));
  expect(said).toEqual([{ kind: 'slot-lost', slot: ROOM_SLOTS + 1, session: `session ${ROOM_SLOTS + 1}` }]);
  expect(freed).toEqual([4]);
  await stages.close();
});

it('layers that are given up in the moment when they are here are freed', async () => {
  let frees = 0;
  let loaded = (_: StageWork) => {};
  const { stages, said } = makeStages({
    loadWork: () =>
      new Promise((resolve) => {
        loaded = resolve;
      }),
  });
  stages.load(STAGE);
  await settle();
  loaded({ executor: { close() {} } as never, spec: { hiddenSize: 4, vocabulary: 100 }, free: () => frees++ });
  stages.unload(STAGE);
  await settle();
  expect(frees).toBe(1);
  expect(said).toEqual([]);
  await stages.close();
});

it('leaving waits for no answer of the window itself, whose model stays', async () => {
  let ends = () => {};
  const answer = new Promise<void>((resolve) => {
    ends = resolve;
  });
  let hasGivenWay = false;
  const { stages, said } = makeStages({
    onLoading: async (signal) => {
      await answer;
      if (!signal.aborted) hasGivenWay = true;
    },
  });
  stages.load(STAGE);
  await settle();
  await stages.close();
  ends();
  await settle();
  expect(hasGivenWay).toBe(false);
  expect(said).toEqual([]);
});

it('layers that are wanted are loaded once the window has answered', async () => {
  let ends = () => {};
  const answer = new Promise<void>((resolve) => {
    ends = resolve;
  });
  const { stages, said } = makeStages({ onLoading: () => answer });
  stages.load(STAGE);
  await settle();
  expect(said).toEqual([]);
  ends();
  await settle();
  expect(said).toEqual([{ kind: 'stage-ready', stage: STAGE }]);
  await stages.close();
});
