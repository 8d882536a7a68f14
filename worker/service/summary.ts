import type { Fit, LoadedModel, ModelSummary, StoredFile } from '../api.ts';
import type { ModelSpec } from '../models/spec.ts';
import { fileKey } from '../shards/grid.ts';
import { quantizationOf } from '../weights/quantization.ts';
import type { FormatName, TensorInfo } from '../weights/types.ts';
import type { LoadedParts } from './load-model.ts';
import type { OpenedModel } from './model-files.ts';
import { modelName } from './model-name.ts';

/** What the models page says of a model whose header was read. */
export function summarize(
  { source, fileName, file, checkpoint }: OpenedModel,
  spec: ModelSpec,
  fit: Fit,
  stored: readonly StoredFile[],
): ModelSummary {
  const key = fileKey(file.identity);
  const kept = stored.find((each) => each.key === key);
  const quantization = quantizationOf(fileName) ?? commonFormat(checkpoint.tensors).toUpperCase();
  let parameters = 0;
  for (const { rows, cols } of checkpoint.tensors.values()) parameters += rows * cols;
  return {
    key,
    source,
    name: modelName(file.identity, fileName, quantization, spec.name),
    architecture: spec.architecture,
    quantization,
    parameters,
    layers: spec.blocks.length,
    vocabulary: spec.vocabulary,
    trainedContextTokens: spec.contextTokens,
    fileBytes: file.size,
    keptBytes: kept?.keptBytes ?? 0,
    fit,
  };
}

/** What is said of a model that is ready. */
export function loadedModel(
  summary: ModelSummary,
  { shape, tokenizer }: Pick<LoadedParts, 'shape' | 'tokenizer'>,
  allocatedBytes: number,
): LoadedModel {
  const { contextTokens, sessions, storage } = shape;
  const loaded = { summary, contextTokens, sessions, storage, allocatedBytes };
  return tokenizer.warning === undefined ? loaded : { ...loaded, warning: tokenizer.warning };
}

/** The format that most bytes are in. */
function commonFormat(tensors: ReadonlyMap<string, TensorInfo>): FormatName {
  const bytes = new Map<FormatName, number>();
  for (const tensor of tensors.values()) bytes.set(tensor.format, (bytes.get(tensor.format) ?? 0) + tensor.bytes);
  return [...bytes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'f32';
}
