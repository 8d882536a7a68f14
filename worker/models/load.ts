import type { Gpu } from '../gpu/device.ts';
import type { StagePlan } from '../planner/memory.ts';
import type { Shard } from '../shards/types.ts';
import { SHARD_BYTES } from '../shards/types.ts';
import type { Checkpoint } from '../weights/types.ts';
import { type ModelSpec, type StageRange, stageTensors } from './spec.ts';
import { Stage } from './stage.ts';
import { allocateWeights, freeWeights, WeightLoader } from './weights.ts';

/** Where the loader gets a file's bytes: the shard cache, or in tests a file. */
export interface ShardReader {
  shards(indices: readonly number[], signal: AbortSignal): AsyncIterable<Pick<Shard, 'offset' | 'bytes' | 'release'>>;
}

export interface LoadOptions {
  readonly gpu: Gpu;
  readonly spec: ModelSpec;
  readonly range: StageRange;
  readonly plan: StagePlan;
  readonly checkpoint: Checkpoint;
  readonly reader: ShardReader;
  readonly signal: AbortSignal;
  readonly onLayers?: (layersDone: number) => void;
  /** Called when the stage is allocated and its weights begin to come: compile pipelines here. */
  readonly onAllocated?: (stage: Stage) => void;
}

/**
 * Allocates a stage, then streams its weights through the shard grid to the GPU. On any error everything that was
 * allocated is freed. Throws MemoryError before a byte is read when the budget does not hold it.
 */
export async function loadStage(options: LoadOptions): Promise<Stage> {
  const { gpu, spec, range, plan, checkpoint, reader, signal } = options;
  const wanted = stageTensors(spec, range);
  const weights = allocateWeights(gpu, wanted, checkpoint.tensors);
  let stage: Stage | undefined;
  try {
    stage = new Stage(gpu, spec, range, plan, weights);
    const loader = new WeightLoader({
      gpu,
      weights,
      wanted,
      tensors: checkpoint.tensors,
      ropeFactors: spec.rope.factorsTensor,
      staging: stage.buffer('staging'),
    });
    options.onAllocated?.(stage);
    for await (const shard of reader.shards(shardsOf(loader.ranges), signal)) {
      try {
        gpu.check();
        await loader.take(shard.offset, shard.bytes);
      } finally {
        shard.release();
      }
      options.onLayers?.(loader.layersDone);
    }
    loader.finish();
    stage.writeRope(loader.ropeFactors);
    gpu.check();
    return stage;
  } catch (error) {
    if (stage !== undefined) stage.free();
    else freeWeights(gpu, weights);
    throw gpu.failed ?? error;
  }
}

/** Indices on the shard grid that cover the ranges, ascending, each once. */
export function shardsOf(ranges: readonly { readonly start: number; readonly end: number }[]): number[] {
  const indices = new Set<number>();
  for (const { start, end } of ranges) {
    if (end <= start) continue;
    for (let i = Math.floor(start / SHARD_BYTES); i * SHARD_BYTES < end; i++) indices.add(i);
  }
  return [...indices].sort((a, b) => a - b);
}
