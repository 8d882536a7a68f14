import { ROW_BUCKETS } from '../../worker/generation/chunks.ts';
import type { StorageType } from '../../worker/gpu/device.ts';
import type { Kernel } from '../../worker/gpu/kernels.ts';
import type { KvType } from '../../worker/gpu/kv.ts';
import { Repacker } from '../../worker/gpu/repack.ts';
import { MAX_LOGIT_ROWS, PAGE_POSITIONS } from '../../worker/gpu/step.ts';
import { UnbackedModel } from '../../worker/models/compile-ahead.ts';
import type { ModelSpec } from '../../worker/models/spec.ts';
import { formatByName } from '../../worker/weights/formats/index.ts';
import { type PaperLimits, paperGpu } from './paper-gpu.ts';
import { LLAMA_1B, type PaperModel, paperModel, QWEN3_4B, SMOLLM2, withLargerEmbedding } from './shapes.ts';

/** Longest conversation that the kernels are specialized for. */
export const CONTEXT_TOKENS = 4096;

const KV_TYPES: readonly KvType[] = ['storage', 'q8'];

/** What is written: SmolLM2 as its files come (its rows are too short for K blocks), the larger ones as people load them. */
export const MODELS: readonly PaperModel[] = [
  withLargerEmbedding(SMOLLM2, 'q4_1'),
  withLargerEmbedding(SMOLLM2, 'q4_0'),
  paperModel(SMOLLM2, 'q8_0'),
  paperModel(SMOLLM2, 'f16'),
  paperModel(SMOLLM2, 'bf16'),
  ...[LLAMA_1B, QWEN3_4B].flatMap((shape) => (['q4_k_m', 'q8_0', 'f16'] as const).map((e) => paperModel(shape, e))),
];

export interface ListedKernel {
  readonly kernel: Kernel;
  readonly models: readonly string[];
}

/** Every kernel that loads or runs one of the models on such a GPU, by its WGSL, each once. */
export async function listKernels(
  models: readonly PaperModel[],
  storage: StorageType,
  limits: PaperLimits,
): Promise<ReadonlyMap<string, ListedKernel>> {
  const listed = new Map<string, { readonly kernel: Kernel; readonly models: string[] }>();
  for (const model of models) {
    for (const kernel of await kernelsOf(model, storage, limits)) {
      const known = listed.get(kernel.source) ?? { kernel, models: [] };
      known.models.push(model.name);
      listed.set(kernel.source, known);
    }
  }
  return listed;
}

async function kernelsOf(
  { spec, tensors }: PaperModel,
  storage: StorageType,
  limits: PaperLimits,
): Promise<readonly Kernel[]> {
  const gpu = paperGpu(storage, limits);
  const formats = [...tensors.values()].filter(({ rows }) => rows > 1).map(({ format }) => formatByName(format));
  new Repacker(gpu, {} as GPUBuffer, formats);
  for (const kv of KV_TYPES) {
    const model = new UnbackedModel(gpu, firstLayers(spec), tensors, CONTEXT_TOKENS / PAGE_POSITIONS, kv);
    for (const rows of ROW_BUCKETS) {
      for (const logitRows of [0, ...ROW_BUCKETS]) {
        if (logitRows <= Math.min(rows, MAX_LOGIT_ROWS)) await model.prepare(rows, logitRows);
      }
    }
  }
  return gpu.kernels.all;
}

/** As many layers as have between them every choice of formats: a mixture's choices repeat after an eighth. */
function firstLayers(spec: ModelSpec): ModelSpec {
  return { ...spec, blocks: spec.blocks.slice(0, Math.floor(spec.blocks.length / 8) + 1) };
}
