import { open } from 'node:fs/promises';
import { MAX_CHUNK_ROWS } from '../../worker/generation/chunks.ts';
import type { Gpu } from '../../worker/gpu/device.ts';
import type { KvType } from '../../worker/gpu/kv.ts';
import { KERNEL_SIZES } from '../../worker/models/kernel-sizes.ts';
import { loadStage } from '../../worker/models/load.ts';
import { type ModelSpec, readModelSpec, type StageRange, wholeModel } from '../../worker/models/spec.ts';
import type { Stage } from '../../worker/models/stage.ts';
import { planStage, type StageShape } from '../../worker/planner/memory.ts';
import { SHARD_BYTES } from '../../worker/shards/types.ts';
import { readGgufHeader } from '../../worker/weights/gguf.ts';
import type { Checkpoint } from '../../worker/weights/types.ts';
import { readRange } from '../reference/gguf-file.ts';

export interface OpenedStage {
  readonly stage: Stage;
  readonly checkpoint: Checkpoint;
  readonly shape: StageShape;
}

export interface OpenStageOptions {
  readonly contextTokens?: number;
  readonly slots?: number;
  readonly sessions?: number;
  readonly maxLogitRows?: number;
  readonly kv?: KvType;
  readonly range?: (spec: ModelSpec) => StageRange;
  readonly mutate?: (spec: ModelSpec) => ModelSpec;
}

/** A stage of a GGUF file in Node: a path, or its bytes. */
export async function openStage(
  gpu: Gpu,
  gguf: string | Uint8Array,
  options: OpenStageOptions = {},
): Promise<OpenedStage> {
  const { signal } = new AbortController();
  const file = typeof gguf === 'string' ? await open(gguf) : undefined;
  try {
    const size = file === undefined ? (gguf as Uint8Array).length : (await file.stat()).size;
    const read = async (start: number, end: number): Promise<Uint8Array> => {
      return file === undefined ? (gguf as Uint8Array).slice(start, end) : readRange(file, start, end);
    };
    const checkpoint = await readGgufHeader(read, size, signal);
    const spec = options.mutate?.(readModelSpec(checkpoint)) ?? readModelSpec(checkpoint);
    const range = options.range?.(spec) ?? wholeModel(spec);
    const shape: StageShape = {
      contextTokens: options.contextTokens ?? Math.min(512, spec.contextTokens),
      sessions: options.sessions ?? 1,
      slots: options.slots ?? 4,
      maxRows: MAX_CHUNK_ROWS,
      maxLogitRows: options.maxLogitRows ?? 16,
      storage: gpu.storage,
      kv: options.kv ?? 'storage',
    };
    const plan = planStage(spec, range, checkpoint.tensors, shape, KERNEL_SIZES);
    const stage = await loadStage({
      gpu,
      spec,
      range,
      plan,
      checkpoint,
      signal,
      reader: {
        async *shards(indices) {
          for (const index of indices) {
            const offset = index * SHARD_BYTES;
            yield { offset, bytes: await read(offset, Math.min(size, offset + SHARD_BYTES)), release: () => {} };
          }
        },
      },
    });
    return { stage, checkpoint, shape };
  } finally {
    await file?.close();
  }
}
