import type { Gpu } from '../../worker/gpu/device.ts';
import { KERNEL_SIZES } from '../../worker/models/kernel-sizes.ts';
import { type StageRange, stageTensors, wholeModel } from '../../worker/models/spec.ts';
import { Stage } from '../../worker/models/stage.ts';
import { allocateWeights, type StageWeights } from '../../worker/models/weights.ts';
import { planStage } from '../../worker/planner/memory.ts';
import type { PaperModel } from './shapes.ts';

export interface PaperStageOptions {
  readonly contextTokens: number;
  readonly maxRows: number;
  readonly range?: StageRange;
  readonly kv?: 'storage' | 'q8';
}

export interface PaperStage {
  readonly stage: Stage;
  /** They are the stage's. */
  readonly weights: StageWeights;
}

/** A stage whose weights are all zero, for one conversation: what it dispatches, loads and takes is what a real one does. */
export function paperStage(gpu: Gpu, { spec, tensors }: PaperModel, options: PaperStageOptions): PaperStage {
  const range = options.range ?? wholeModel(spec);
  const { contextTokens, maxRows, kv = 'storage' } = options;
  const shape = { contextTokens, sessions: 1, slots: 1, maxRows, maxLogitRows: 1, storage: gpu.storage, kv };
  const plan = planStage(spec, range, tensors, shape, KERNEL_SIZES);
  const weights = allocateWeights(gpu, stageTensors(spec, range), tensors);
  const stage = new Stage(gpu, spec, range, plan, weights);
  stage.writeRope(undefined);
  const pages = Uint32Array.from({ length: plan.pagesPerSlot }, (_, page) => page);
  gpu.device.queue.writeBuffer(stage.buffer('pages'), 0, pages);
  return { stage, weights };
}
