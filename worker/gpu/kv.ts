import type { StorageType } from './device.ts';
import { PAGE_POSITIONS } from './step.ts';

/** How keys and values are kept: in the storage type of activations, or in 8 bits with a scale a position and head. */
export type KvType = 'storage' | 'q8';

export interface KvShape {
  readonly kv: KvType;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly pagesPerSlot: number;
}

/** Dimensions of a head as it is kept: whole units of 16 bytes in every type. */
export function keptDims(kv: KvType, headSize: number): number {
  const unit = kv === 'q8' ? 16 : 8;
  return Math.ceil(headSize / unit) * unit;
}

/** Bytes of the keys (and again of the values) of one page and KV head, scales included: see shaders/parts/pages.wgsl. */
export function kvBlockBytes(storage: StorageType, kv: KvType, headSize: number): number {
  const dims = keptDims(kv, headSize);
  if (kv === 'q8') return PAGE_POSITIONS * (dims + 4);
  return PAGE_POSITIONS * dims * (storage === 'f16' ? 2 : 4);
}

/** What shaders/parts/pages.wgsl and key_value.wgsl ask for. */
export function kvConstants({ kv, kvHeads, headSize, pagesPerSlot }: KvShape) {
  return {
    q8: kv === 'q8',
    kvHeads,
    headSize,
    keptDims: keptDims(kv, headSize),
    pagesPerSlot,
    pagePositions: PAGE_POSITIONS,
  } as const;
}
