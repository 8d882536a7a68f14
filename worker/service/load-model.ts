import type { LoadEvent } from '../api.ts';
import { bytesInWords } from '../bytes-in-words.ts';
import { MemoryError } from '../errors.ts';
import { bucketFor, MAX_CHUNK_ROWS } from '../generation/chunks.ts';
import type { Pace } from '../generation/pace.ts';
import type { Gpu } from '../gpu/device.ts';
import { KERNEL_SIZES } from '../models/kernel-sizes.ts';
import { loadStage } from '../models/load.ts';
import { readModelSpec, wholeModel } from '../models/spec.ts';
import type { Stage } from '../models/stage.ts';
import { fitModel } from '../planner/fit.ts';
import type { StageShape } from '../planner/memory.ts';
import { chatTemplate, createTokenizer, type Tokenizer } from '../text/index.ts';
import { LoadProgress } from './load-progress.ts';
import type { MemoryClaims } from './memory-claims.ts';
import type { OpenedModel } from './model-files.ts';
import { preparePrograms } from './prepare-programs.ts';

/** Conversations that keep keys and values at once; they share the pages of one full context. */
const SLOTS = 4;

export interface LoadedParts {
  readonly stage: Stage;
  readonly shape: StageShape;
  readonly tokenizer: Tokenizer;
  readonly template: string | undefined;
  /** Ends what still compiles behind; before the stage is freed. */
  readonly stopPreparing: () => void;
}

export interface LoadModelOptions {
  readonly opened: OpenedModel;
  readonly contextTokens: number;
  readonly gpu: Gpu;
  readonly claims: MemoryClaims;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LoadEvent) => void;
  /** The memory is this model's now: what takes it still is to be freed before this returns. */
  readonly onClaimed: () => void;
}

export function stageShape(contextTokens: number, storage: 'f16' | 'f32'): StageShape {
  return { contextTokens, sessions: 1, slots: SLOTS, maxRows: MAX_CHUNK_ROWS, maxLogitRows: SLOTS, storage };
}

/**
 * Loads a whole model as one stage: memory claimed among the windows of this device, weights streamed through the
 * cache, pipelines compiled meanwhile: it is ready when those of a first answer are. Throws MemoryError with the
 * figures when it does not fit.
 */
export async function loadModel(options: LoadModelOptions): Promise<LoadedParts> {
  const { opened, contextTokens, gpu, claims, pace, signal, onEvent, onClaimed } = options;
  const { checkpoint, file } = opened;
  const spec = readModelSpec(checkpoint);
  const tokenizer = createTokenizer(checkpoint.metadata);
  const { budgetBytes } = gpu.ledger;
  const { maxBindingBytes } = gpu.limits;
  const fitAt = (budget: number) =>
    fitModel({
      spec,
      tensors: checkpoint.tensors,
      shape: stageShape(contextTokens, gpu.storage),
      sizes: KERNEL_SIZES,
      budgetBytes: budget,
      maxBindingBytes,
    });
  const claimed = await claims.claim((othersBytes) => {
    const { fit } = fitAt(budgetBytes - othersBytes);
    if (fit.verdict === 'too-large') throw tooLarge(fit.totalBytes, budgetBytes, othersBytes);
    return fit.totalBytes;
  });
  const { plan, shape } = fitAt(claimed);
  gpu.ledger.budgetBytes = claimed;
  onClaimed();

  const progress = new LoadProgress(onEvent);
  let prepared: Promise<void> = Promise.resolve();
  const preparing = new AbortController();
  const mayPrepare = AbortSignal.any([signal, preparing.signal]);
  const stage = await loadStage({
    gpu,
    spec,
    range: wholeModel(spec),
    plan,
    checkpoint,
    signal,
    reader: {
      shards: (indices, stop) =>
        file.shards(indices, { signal: stop, onProgress: (transferred) => progress.take(transferred) }),
    },
    onLayers: (layers) => {
      progress.layersDone = layers;
    },
    onAllocated: (allocated) => {
      const chunkRows = bucketFor(pace.rows);
      const { maxLogitRows } = shape;
      const onPrepared = (pipelinesDone: number, pipelinesTotal: number) =>
        onEvent({ kind: 'preparing', pipelinesDone, pipelinesTotal });
      const behind = gpu.compilesAhead ? {} : 'nothing';
      prepared = preparePrograms(allocated, maxLogitRows, chunkRows, mayPrepare, onPrepared, behind);
      prepared.catch(() => {}); // awaited below
    },
  })
    .catch((error: unknown) => {
      preparing.abort();
      throw error;
    })
    .finally(() => progress.stop());
  try {
    // what came is the published file, or it is not used ('incomplete': it has parts that no tensor needs)
    await file.verifyWhole(signal);
    await prepared;
    signal.throwIfAborted();
    const template = chatTemplate(checkpoint.metadata);
    return { stage, shape, tokenizer, template, stopPreparing: () => preparing.abort() };
  } catch (error) {
    preparing.abort();
    stage.free();
    throw error;
  }
}

function tooLarge(neededBytes: number, budgetBytes: number, othersBytes: number): MemoryError {
  const others = othersBytes > 0 ? `, of which other windows hold ${bytesInWords(othersBytes)}` : '';
  return new MemoryError(
    `This model needs ${bytesInWords(neededBytes)}. Models may take ${bytesInWords(budgetBytes)} on this device${others}. Choose a smaller one, or change the budget in Settings.`,
    { neededBytes, allowedBytes: budgetBytes - othersBytes },
  );
}
