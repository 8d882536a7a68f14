import type { Gpu } from '../../worker/gpu/device.ts';
import { STEP_WORDS, type StepRow, writeStep } from '../../worker/gpu/step.ts';
import { upload } from './harness.ts';

/** A step on the GPU; what a row does not say is token 0, not from the sampler, no logits. */
export function uploadStep(
  gpu: Gpu,
  rows: readonly (Pick<StepRow, 'slot' | 'position'> & Partial<StepRow>)[],
  bucket: number,
): GPUBuffer {
  const words = new Uint32Array(STEP_WORDS);
  const whole = rows.map((row) => ({ token: 0, fromSampled: false, wantsLogits: false, ...row }));
  writeStep(words, whole, bucket);
  return upload(gpu, words, 'step');
}
