import type { Gpu } from '../gpu/device.ts';
import type { KvType } from '../gpu/kv.ts';
import type { Checkpoint } from '../weights/types.ts';
import { StageRecorder } from './recorder.ts';
import { type ModelSpec, type StageRange, stageTensors, wholeModel } from './spec.ts';
import { allocateWeights } from './weights.ts';

/**
 * A whole model as far as compiling goes: knows which kernels any stage of it runs on this GPU, and has no memory. A
 * device that takes over other layers, the last ones with head and sampler say, then finds their kernels compiled.
 */
export class UnbackedModel {
  readonly #recorders: readonly StageRecorder[];

  constructor(gpu: Gpu, spec: ModelSpec, tensors: Checkpoint['tensors'], pagesPerSlot: number, kv: KvType = 'storage') {
    const nowhere = {} as GPUBuffer; // recorded, never bound
    const range = wholeModel(spec);
    const memory = { limits: gpu.limits, ledger: { buffer: () => nowhere, free: () => {} } };
    const layers = spec.blocks.map(() => nowhere);
    const stage = {
      gpu,
      spec,
      pagesPerSlot,
      kv,
      weights: allocateWeights(memory, stageTensors(spec, range), tensors),
      buffer: () => nowhere,
      keys: layers,
      values: layers,
    };
    this.#recorders = [range, ...cuts(spec, tensors)].map((range) => new StageRecorder({ ...stage, range }));
  }

  /** Compiles what a step of so many rows runs: see `Stage.program`. */
  async prepare(rows: number, logitRows: number): Promise<void> {
    const dispatches = this.#recorders.flatMap((recorder) => recorder.record(rows, logitRows, 'token'));
    await Promise.all(dispatches.map(({ kernel }) => kernel.ready));
  }
}

/** Stages that end in the middle: their last product leaves nothing for a next one, in each format that it comes in. */
function cuts({ blocks }: ModelSpec, tensors: Checkpoint['tensors']): readonly StageRange[] {
  const formats = new Set<string>();
  return blocks.flatMap((_, layer) => {
    const { format } = tensors.get(`blk.${layer}.ffn_down.weight`) ?? {};
    if (format === undefined || formats.has(format)) return [];
    formats.add(format);
    return [{ firstLayer: 0, endLayer: layer + 1, embedding: true, head: false }];
  });
}
