import type { Gpu } from '../gpu/device.ts';
import type { KvType } from '../gpu/kv.ts';
import type { Checkpoint } from '../weights/types.ts';
import { StageRecorder } from './recorder.ts';
import { type ModelSpec, stageTensors, wholeModel } from './spec.ts';
import { allocateWeights } from './weights.ts';

/**
 * A whole model as far as compiling goes: knows which kernels any stage of it runs on this GPU, and has no memory. A
 * device that takes over other layers, the last ones with head and sampler say, then finds their kernels compiled.
 */
export class UnbackedModel {
  readonly #recorder: StageRecorder;

  constructor(gpu: Gpu, spec: ModelSpec, tensors: Checkpoint['tensors'], pagesPerSlot: number, kv: KvType = 'storage') {
    const nowhere = {} as GPUBuffer; // recorded, never bound
    const range = wholeModel(spec);
    const memory = { limits: gpu.limits, ledger: { buffer: () => nowhere, free: () => {} } };
    const layers = spec.blocks.map(() => nowhere);
    this.#recorder = new StageRecorder({
      gpu,
      spec,
      range,
      pagesPerSlot,
      kv,
      weights: allocateWeights(memory, stageTensors(spec, range), tensors),
      buffer: () => nowhere,
      keys: layers,
      values: layers,
    });
  }

  /** Compiles what a step of so many rows runs: see `Stage.program`. */
  async prepare(rows: number, logitRows: number): Promise<void> {
    await Promise.all(this.#recorder.record(rows, logitRows, 'token').map(({ kernel }) => kernel.ready));
  }
}
