import type { CatalogueEntry } from '../api.ts';
import { KERNEL_SIZES } from '../models/kernel-sizes.ts';
import type { ModelSpec } from '../models/spec.ts';
import { fitModel } from '../planner/fit.ts';
import type { CatalogueModel } from '../weights/catalogue.ts';
import { stageShape } from './load-model.ts';

/** A catalogue row with its fit on this device, from the catalogue's figures. */
export function catalogueEntry(
  model: CatalogueModel,
  contextTokens: number,
  limits: { readonly budgetBytes: number; readonly maxBindingBytes: number; readonly storage: 'f16' | 'f32' },
): CatalogueEntry {
  const { heads, kvHeads, headSize } = model;
  const spec: ModelSpec = {
    name: model.name,
    architecture: model.architecture,
    hiddenSize: model.hiddenSize,
    vocabulary: model.vocabulary,
    contextTokens: model.trainedContextTokens,
    normEps: 1e-6,
    rope: { theta: 1e6, dims: headSize, pairing: 'halves', linearFactor: 1, factorsTensor: undefined },
    blocks: Array.from({ length: model.layers }, () => ({
      attention: { kind: 'grouped-query', heads, kvHeads, headSize, qkNorm: false, window: undefined },
      mlp: { kind: 'gated', size: model.feedForwardSize, activation: 'silu' },
    })),
    tiedHead: true,
  };
  const { fit } = fitModel({
    spec,
    tensors: new Map(),
    shape: stageShape(contextTokens, limits.storage),
    sizes: KERNEL_SIZES,
    budgetBytes: limits.budgetBytes,
    maxBindingBytes: limits.maxBindingBytes,
    weightsBytes: model.downloadBytes,
  });
  const { id, name, parameters, layers, repository, downloadBytes, about } = model;
  const quantization = model.quantizations[0] ?? '';
  return {
    id,
    name,
    parameters,
    layers,
    repository,
    quantization,
    downloadBytes,
    contextTokens: fit.contextTokens,
    fit,
    about,
  };
}
