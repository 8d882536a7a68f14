import type { ModelSpec, StageRange } from '../models/spec.ts';
import { stageTensors } from '../models/spec.ts';
import { bufferBytes, weightBytes, weightLayout } from '../models/weight-layout.ts';
import type { TensorInfo } from '../weights/types.ts';

/** What a stage is asked to hold, beside its weights. */
export interface StageShape {
  /** Longest conversation, tokens. */
  readonly contextTokens: number;
  /** Conversations of that length whose keys and values fit at once. */
  readonly sessions: number;
  /** Conversations that keep anything at all here; they share the pages of `sessions`. */
  readonly slots: number;
  /** Most rows of a step, and most of them that want a next token. */
  readonly maxRows: number;
  readonly maxLogitRows: number;
  readonly storage: 'f16' | 'f32';
  /** How keys and values are kept: in the storage type (also when not given), or in 8 bits. */
  readonly kv?: 'storage' | 'q8';
}

/** Sizes that kernels and step layout fix; given as data, so that the planner imports no GPU code. */
export interface KernelSizes {
  readonly pagePositions: number;
  readonly stepBytes: number;
  /** For the file's bytes at hand, before they are repacked. */
  readonly stagingBytes: number;
  /** Of the keys, and again of the values, of one page and KV head. */
  readonly kvBlockBytes: (storage: 'f16' | 'f32', kv: 'storage' | 'q8', headSize: number) => number;
  /** Largest that a step needs, whatever its rows. */
  readonly attentionScratchBytes: (heads: number, kvHeads: number, headSize: number, pagesPerSlot: number) => number;
  readonly samplerSettingsBytes: (slots: number) => number;
  readonly samplerResultBytes: (logitRows: number) => number;
  readonly samplerScratchBytes: (logitRows: number, vocabulary: number) => number;
  readonly padded: (columns: number) => number;
  /** Of a row of activations with its tail. */
  readonly rowBytes: (storage: 'f16' | 'f32', columns: number) => number;
}

export interface BufferPlan {
  readonly name: StageBuffer;
  readonly bytes: number;
}
export type StageBuffer =
  | 'staging'
  | 'step'
  | 'hidden'
  | 'normed'
  | 'q'
  | 'k'
  | 'v'
  | 'attended'
  | 'attention-scratch'
  | 'gate'
  | 'up'
  | 'activated'
  | 'rope'
  | 'pages'
  | 'sampled'
  | 'last-normed'
  | 'logits'
  | 'counts'
  | 'sampler-settings'
  | 'sampler-scratch'
  | 'results'
  | 'readback';

/** Copies of sampled tokens, or hidden states, that may wait to be read by the CPU. */
export const READBACKS = 4;

/** Everything that a stage allocates, to the byte. The fit display, the budget and the allocator all use this. */
export interface StagePlan {
  readonly weightsBytes: number;
  readonly kvBytes: number;
  readonly scratchBytes: number;
  readonly totalBytes: number;
  /** Pages of keys and values that all slots share, and how many one slot may have. */
  readonly pages: number;
  readonly pagesPerSlot: number;
  readonly kv: 'storage' | 'q8';
  /** Bytes of the keys (and again of the values) of one layer. */
  readonly kvLayerBytes: number;
  readonly buffers: readonly BufferPlan[];
}

export function planStage(
  spec: ModelSpec,
  range: StageRange,
  tensors: ReadonlyMap<string, Pick<TensorInfo, 'format'>>,
  shape: StageShape,
  sizes: KernelSizes,
): StagePlan {
  const weightsBytes = weightBytes(weightLayout(stageTensors(spec, range), tensors));
  const element = shape.storage === 'f16' ? 2 : 4;
  const pagesPerSlot = Math.ceil(shape.contextTokens / sizes.pagePositions);
  const pages = pagesPerSlot * shape.sessions;
  const blocks = spec.blocks.slice(range.firstLayer, range.endLayer);
  const most = (of: (block: ModelSpec['blocks'][number]) => number) => Math.max(0, ...blocks.map(of));
  const kv = shape.kv ?? 'storage';
  const kvLayerBytes =
    most(({ attention }) => attention.kvHeads * sizes.kvBlockBytes(shape.storage, kv, attention.headSize)) * pages;
  const row = (columns: number) => sizes.rowBytes(shape.storage, columns);
  const queryRow = row(most((block) => block.attention.heads * block.attention.headSize));
  const keyCols = sizes.padded(most((block) => block.attention.kvHeads * block.attention.headSize));
  const hidden = sizes.padded(spec.hiddenSize);
  const mlp = sizes.padded(most((block) => block.mlp.size));
  const { maxRows, maxLogitRows, slots } = shape;
  const buffers: BufferPlan[] = [
    { name: 'staging', bytes: sizes.stagingBytes },
    { name: 'step', bytes: sizes.stepBytes },
    { name: 'hidden', bytes: maxRows * hidden * 4 },
    { name: 'normed', bytes: maxRows * row(spec.hiddenSize) },
    { name: 'q', bytes: maxRows * queryRow },
    { name: 'k', bytes: maxRows * keyCols * element },
    { name: 'v', bytes: maxRows * keyCols * element },
    { name: 'attended', bytes: maxRows * queryRow },
    {
      name: 'attention-scratch',
      bytes: most(({ attention: { heads, kvHeads, headSize } }) =>
        sizes.attentionScratchBytes(heads, kvHeads, headSize, pagesPerSlot),
      ),
    },
    { name: 'gate', bytes: maxRows * mlp * element },
    { name: 'up', bytes: maxRows * mlp * element },
    { name: 'activated', bytes: maxRows * row(most((block) => block.mlp.size)) },
    { name: 'rope', bytes: pagesPerSlot * sizes.pagePositions * (spec.rope.dims / 2) * 8 },
    { name: 'pages', bytes: slots * pagesPerSlot * 4 },
    { name: 'sampled', bytes: slots * 4 },
  ];
  if (range.head) {
    buffers.push(
      { name: 'last-normed', bytes: maxLogitRows * row(spec.hiddenSize) },
      { name: 'logits', bytes: maxLogitRows * sizes.padded(spec.vocabulary) * 4 },
      { name: 'counts', bytes: slots * spec.vocabulary * 4 },
      { name: 'sampler-settings', bytes: sizes.samplerSettingsBytes(slots) },
      { name: 'sampler-scratch', bytes: sizes.samplerScratchBytes(maxLogitRows, spec.vocabulary) },
      { name: 'results', bytes: sizes.samplerResultBytes(maxLogitRows) },
      { name: 'readback', bytes: READBACKS * sizes.samplerResultBytes(maxLogitRows) },
    );
  } else {
    buffers.push({ name: 'readback', bytes: READBACKS * maxRows * hidden * 4 });
  }
  const kvBytes = kvLayerBytes * 2 * blocks.length;
  const scratchBytes = buffers.reduce((sum, { bytes }) => sum + bufferBytes(bytes), 0);
  return {
    weightsBytes,
    kvBytes,
    scratchBytes,
    totalBytes: weightsBytes + kvBytes + scratchBytes,
    pages,
    pagesPerSlot,
    kv,
    kvLayerBytes,
    buffers,
  };
}
