import { InternalError } from '../errors.ts';
import type { Gpu } from './device.ts';
import { type KvType, kvConstants } from './kv.ts';
import type { Dispatch } from './program.ts';
import { rowStride } from './row.ts';
import { padded, STEP_CONSTANTS } from './step.ts';

const THREADS = 64;

/** Which dimensions turn together: 2i and 2i + 1, or i and i + half of the rotary dimensions. */
export type RopePairing = 'adjacent' | 'halves';

export interface RopeKv {
  /** Rows of activations (row.ts), [heads][headSize], rewritten in place. */
  readonly q: GPUBuffer;
  /** [row][kvHeads][headSize]. */
  readonly k: GPUBuffer;
  readonly v: GPUBuffer;
  /** Weights of an RMS norm over each head, f32, headSize of them. */
  readonly qNorm?: GPUBuffer;
  readonly kNorm?: GPUBuffer;
  /** f32 pairs of cos and sin: [position][rotaryDims / 2][2]. */
  readonly rope: GPUBuffer;
  readonly step: GPUBuffer;
  /** u32: the page of [slot][pagesPerSlot]. */
  readonly pages: GPUBuffer;
  /** Blocks of [page][kvHead]: see shaders/parts/pages.wgsl. */
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly rotaryDims: number;
  readonly pairing: RopePairing;
  readonly eps: number;
  readonly pagesPerSlot: number;
  readonly kv: KvType;
  readonly batch: number;
}

/** Turns queries and keys by their positions (after a norm a head where there is one), and files keys and values. */
export function ropeKv(gpu: Gpu, rope: RopeKv): Dispatch[] {
  const { heads, kvHeads, headSize, rotaryDims, batch, qNorm, kNorm } = rope;
  if (rotaryDims % 2 !== 0 || rotaryDims > headSize) {
    throw new InternalError(`${rotaryDims} rotary dimensions; an even number up to ${headSize} is needed.`);
  }
  const constants = {
    ...STEP_CONSTANTS,
    ...kvConstants(rope),
    f16: gpu.storage === 'f16',
    threads: THREADS,
    rotaryDims,
    pairing: rope.pairing,
    eps: rope.eps,
  };
  const query = gpu.kernels.get('rope_query', {
    ...constants,
    stride: rowStride(gpu.storage, heads * headSize),
    headNorm: qNorm !== undefined,
  });
  const keyValue = gpu.kernels.get('rope_key_value', {
    ...constants,
    stride: padded(kvHeads * headSize),
    headNorm: kNorm !== undefined,
  });
  const { q, k, v, step, pages, keys, values } = rope;
  return [
    { kernel: query, buffers: [q, rope.rope, step, ...(qNorm ? [qNorm] : [])], grid: [heads, batch, 1] },
    {
      kernel: keyValue,
      buffers: [k, v, rope.rope, step, pages, keys, values, ...(kNorm ? [kNorm] : [])],
      grid: [kvHeads, batch, 1],
    },
  ];
}
