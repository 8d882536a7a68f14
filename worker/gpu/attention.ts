import { InternalError } from '../errors.ts';
import { prefillForm } from './attention-prefill.ts';
import type { Gpu, StorageType } from './device.ts';
import { type KvType, kvConstants } from './kv.ts';
import type { Dispatch } from './program.ts';
import { rowStride } from './row.ts';
import { PAGE_POSITIONS, STEP_CONSTANTS } from './step.ts';

/** Up to this many rows each is computed by itself, the same in every batch; beyond, in tiles. */
const MAX_SINGLE_ROWS = 16;
/** Workgroups that share the positions of a row, at most; see shaders/parts/splits.wgsl. */
const MAX_SPLITS = 32;
const PAGES_ALONE = 8;
const MAX_HEAD_SIZE = 256;
/** Columns that a workgroup of attention_merge writes. */
const MERGE_COLUMNS = 256;
/** Query heads that one workgroup computes, at most. */
const MAX_BLOCK = 8;

export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  /** A multiple of 4, at most 256. */
  readonly headSize: number;
  readonly pagesPerSlot: number;
  readonly kv: KvType;
  /** A row attends its own position and the window - 1 before it; all when not given. */
  readonly window?: number;
  readonly batch: number;
}

export interface Attention extends AttentionShape {
  /** Rows of activations (row.ts): [heads][headSize]. */
  readonly q: GPUBuffer;
  /** Blocks of [page][kvHead]: see shaders/parts/pages.wgsl. */
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  /** u32: the page of [slot][pagesPerSlot]. */
  readonly pages: GPUBuffer;
  readonly step: GPUBuffer;
  /** Rows of activations: [heads][headSize]. */
  readonly output: GPUBuffer;
  /** Multiplies q.k, usually 1 / sqrt(headSize). */
  readonly scale: number;
  /** At least `attentionScratchBytes`; of use to others between two attentions. */
  readonly scratch: GPUBuffer;
}

/** Causal attention of each row over the positions of its slot up to its own, whose keys and values are in their pages. */
export function attention(gpu: Gpu, attention: Attention): Dispatch[] {
  const { heads, kvHeads, headSize, window, batch, q, keys, values, pages, step, output } = attention;
  if (headSize % 4 !== 0 || headSize > MAX_HEAD_SIZE) {
    throw new InternalError(`Heads of ${headSize}; a multiple of 4 up to ${MAX_HEAD_SIZE} is needed.`);
  }
  if (heads % kvHeads !== 0) throw new InternalError(`${heads} heads cannot share ${kvHeads} KV heads evenly.`);
  const constants = {
    ...STEP_CONSTANTS,
    ...kvConstants(attention),
    f16: gpu.storage === 'f16',
    heads,
    stride: rowStride(gpu.storage, heads * headSize),
    scale: attention.scale,
    window: window ?? 0,
  };
  if (batch > MAX_SINGLE_ROWS) {
    const form = prefillForm(gpu.storage, attention.kv, headSize, gpu.limits.workgroupBytes);
    const about = { role: 'attention-prefill', rows: form.tile, headSize } as const;
    const kernel = gpu.kernels.get('attention_prefill', { ...constants, ...form }, about);
    return [
      { kernel, buffers: [q, keys, values, pages, step, output], grid: [Math.ceil(batch / form.tile), heads, 1] },
    ];
  }
  const decode = decodeConstants(gpu.storage, attention);
  const { scratch } = attention;
  return [
    {
      kernel: gpu.kernels.get(
        'attention_decode',
        { ...constants, ...decode },
        { role: 'attention-decode', rows: 1, headSize },
      ),
      buffers: [q, keys, values, pages, step, scratch],
      grid: [kvHeads * Math.ceil(heads / kvHeads / decode.block), batch, decode.splits],
    },
    {
      kernel: gpu.kernels.get('attention_merge', { ...constants, ...decode }),
      buffers: [scratch, q, step, output],
      grid: [Math.ceil((heads * headSize) / MERGE_COLUMNS), batch, 1],
    },
  ];
}

/** Bytes that `attention` needs of its scratch buffer; no batch needs more than one of 16 rows. */
export function attentionScratchBytes(shape: ScratchShape): number {
  if (shape.batch > MAX_SINGLE_ROWS) return 0;
  return shape.batch * shape.heads * splitsOf(shape) * (shape.headSize + 4) * 4;
}

type ScratchShape = Omit<AttentionShape, 'kv'>;

/** Splits of the longest row: as shaders/parts/splits.wgsl makes them. */
function splitsOf(shape: ScratchShape): number {
  const { pagesPerSlot, window } = shape;
  const pages = window === undefined ? pagesPerSlot : Math.min(pagesPerSlot, Math.ceil(window / PAGE_POSITIONS) + 1);
  return Math.max(
    Math.min(pages, PAGES_ALONE),
    Math.min(MAX_SPLITS, Math.ceil(pages / 2)),
    Math.ceil(pages / blockOf(shape).splitPages),
  );
}

/** Query heads that a workgroup computes together, in vectors of up to four (`sets` of `width`), and pages it takes. */
function blockOf({ heads, kvHeads }: ScratchShape) {
  const group = heads / kvHeads;
  const block = Math.ceil(group / Math.ceil(group / MAX_BLOCK));
  const sets = Math.ceil(block / 4);
  // 4 KiB of scores; and of four outputs a thread, which take their place
  return { block, sets, width: Math.max(2, Math.ceil(block / sets)), splitPages: 4 / sets };
}

/**
 * What shaders/attention_decode.wgsl asks for. Two positions a thread and eight dimensions (a 16-byte load in f16) for up
 * to two heads, four for more, take fewer than 104 half registers on Apple up to groups of 4.
 */
function decodeConstants(storage: StorageType, shape: AttentionShape) {
  const { block, sets, width, splitPages } = blockOf(shape);
  const splits = splitsOf(shape);
  const bytes = shape.kv === 'q8';
  const wordDims = storage === 'f16' ? 8 : 4;
  const valueDims = block <= 2 && (bytes || storage === 'f16') ? 8 : 4;
  return {
    ...{ splits, splitPages, pagesAlone: PAGES_ALONE },
    ...{ block, sets, width, perThread: 2 },
    ...{ valueDims, valueQuads: valueDims / 4, wordQuads: wordDims / 4, unitWords: bytes ? 16 / wordDims : 1 },
  };
}
