import type { Fit } from '../api.ts';
import { type ModelSpec, wholeModel } from '../models/spec.ts';
import type { TensorInfo } from '../weights/types.ts';
import { type KernelSizes, planStage, type StagePlan, type StageShape } from './memory.ts';

/** A shorter context than this is not offered. */
const LEAST_CONTEXT = 512;
const CONTEXT_STEP = 256;

export interface FitOptions {
  readonly spec: ModelSpec;
  readonly tensors: ReadonlyMap<string, Pick<TensorInfo, 'format'>>;
  readonly shape: StageShape;
  readonly sizes: KernelSizes;
  readonly budgetBytes: number;
  /** Weights of a model whose tensors are not known yet. */
  readonly weightsBytes?: number;
  /** Largest buffer; keys and values of a layer must fit one. */
  readonly maxBindingBytes: number;
}

/** Whether a whole model fits, at which context, with the sum. The plan is the one to allocate. */
export function fitModel(options: FitOptions): {
  readonly fit: Fit;
  readonly plan: StagePlan;
  readonly shape: StageShape;
} {
  const { spec, budgetBytes } = options;
  const asked = Math.min(options.shape.contextTokens, spec.contextTokens);
  const at = (contextTokens: number) => planAt(options, contextTokens, spec.blocks.length);
  const holds = (contextTokens: number) => isWithin(options, at(contextTokens));
  let contextTokens = asked;
  let verdict: Fit['verdict'] = 'fits';
  if (!holds(asked)) {
    const steps = largest(Math.floor(asked / CONTEXT_STEP), (count) => holds(count * CONTEXT_STEP));
    contextTokens = steps * CONTEXT_STEP;
    verdict = 'shorter-context';
    if (contextTokens < Math.min(LEAST_CONTEXT, asked)) {
      contextTokens = asked;
      verdict = 'too-large';
    }
  }
  const plan = at(contextTokens);
  const layersThatFit =
    verdict === 'too-large'
      ? largest(spec.blocks.length, (layers) => isWithin(options, planAt(options, asked, layers)))
      : spec.blocks.length;
  const { weightsBytes, kvBytes, scratchBytes, totalBytes } = plan;
  return {
    fit: { verdict, weightsBytes, kvBytes, scratchBytes, totalBytes, budgetBytes, contextTokens, layersThatFit },
    plan,
    shape: { ...options.shape, contextTokens },
  };
}

function isWithin({ budgetBytes, maxBindingBytes }: FitOptions, plan: StagePlan): boolean {
  const bound = plan.buffers.filter(({ name }) => name !== 'readback');
  const widest = Math.max(plan.kvLayerBytes, ...bound.map(({ bytes }) => bytes));
  return plan.totalBytes <= budgetBytes && widest <= maxBindingBytes;
}

function planAt(options: FitOptions, contextTokens: number, layers: number): StagePlan {
  const { spec, tensors, shape, sizes, weightsBytes } = options;
  const range = { ...wholeModel(spec), endLayer: layers };
  const plan = planStage(spec, range, tensors, { ...shape, contextTokens }, sizes);
  if (weightsBytes === undefined) return plan;
  const share = Math.round((weightsBytes * layers) / spec.blocks.length);
  return { ...plan, weightsBytes: share, totalBytes: plan.totalBytes - plan.weightsBytes + share };
}

/** The largest count from 0 to `most` for which `holds`; it must hold for all smaller ones too. */
function largest(most: number, holds: (count: number) => boolean): number {
  let low = 0;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
