import { bucketFor } from '../../generation/chunks.ts';
import { Pace } from '../../generation/pace.ts';
import { StageExecutor } from '../../generation/stage-executor.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { StageKey } from '../../mesh/room/messages.ts';
import { UnbackedModel } from '../../models/compile-ahead.ts';
import { loadStage } from '../../models/load.ts';
import type { ModelSpec } from '../../models/spec.ts';
import { preparePrograms } from '../prepare-programs.ts';
import { ROOM_SLOTS, type RoomModels } from './room-models.ts';

/** A stage that is loaded, and what runs it. */
export interface StageWork {
  readonly executor: Pick<StageExecutor, 'begin' | 'setSampler' | 'run' | 'halt' | 'free' | 'close'>;
  readonly spec: Pick<ModelSpec, 'hiddenSize' | 'vocabulary'>;
  /** Of the weights; the executor is closed before. */
  free(): void;
}

export interface LoadWork {
  readonly models: RoomModels;
  readonly signal: AbortSignal;
  readonly openGpu: () => Promise<Gpu>;
  /** Before anything is allocated: takes so much of the device's memory, or throws. */
  readonly claim: (bytes: number) => Promise<void>;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
  /** Another slot needed the pages of this one. */
  readonly onSlotLost: (slot: number) => void;
  readonly onFailed: (error: unknown) => void;
}

/** Loads a stage to the GPU; undefined for a model that is not known here. */
export async function loadStageWork(key: StageKey, options: LoadWork): Promise<StageWork | undefined> {
  const { models, signal, openGpu, claim, onProgress, onSlotLost, onFailed } = options;
  const { opened, spec } = await models.read(key.model, signal);
  const gpu = await openGpu();
  const planned = models.plan(key.model, key.first, key.last, gpu.storage);
  if (planned === undefined) return undefined;
  await claim(planned.plan.totalBytes);
  const pace = new Pace(gpu.software);
  let prepared: Promise<void> = Promise.resolve();
  const stage = await loadStage({
    gpu,
    spec,
    range: planned.range,
    plan: planned.plan,
    checkpoint: opened.checkpoint,
    signal,
    reader: {
      shards: (indices, stop) =>
        opened.file.shards(indices, {
          signal: stop,
          onProgress: ({ doneBytes, totalBytes }) => onProgress(doneBytes, totalBytes),
        }),
    },
    onAllocated: (allocated) => {
      const whole = new UnbackedModel(gpu, spec, opened.checkpoint.tensors, planned.plan.pagesPerSlot, planned.plan.kv);
      const behind = gpu.compilesAhead ? { next: whole } : 'nothing';
      prepared = preparePrograms(allocated, ROOM_SLOTS, bucketFor(pace.rows), signal, () => {}, behind);
      prepared.catch(() => {}); // awaited below
    },
  });
  try {
    // what came is the published file, or it is not used ('incomplete': it has parts that no tensor here needs)
    await opened.file.verifyWhole(signal);
    await prepared;
    signal.throwIfAborted();
  } catch (error) {
    stage.free();
    throw error;
  }
  const executor = new StageExecutor({ stage, slots: ROOM_SLOTS, pace, onSlotLost, onFailed });
  return { executor, spec, free: () => stage.free() };
}
