import type { WeightFormat } from '../types.ts';
import { SUPERBLOCK_WEIGHTS } from './layout.ts';

const BLOCK_BYTES = 144;

/**
 * ggml's block_q4_K: halves d and dmin, 12 bytes with the 6-bit scale and minimum of 8 sub-blocks, then 128 bytes: each
 * 32 of them hold one sub-block in their low nibbles and the next in their high ones; weight = d * scale * q - dmin * min.
 * quants: four words a unit (parts/pack_nibbles). scales: four words a superblock: d and dmin; then for sub-block j byte j of
 * words 1 and 2 is scale | (min & 3) << 6, and nibble j of word 3 is min >> 2.
 */
export const q4_k: WeightFormat = {
  name: 'q4_k',
  ggmlType: 12,
  blockWeights: SUPERBLOCK_WEIGHTS,
  blockBytes: BLOCK_BYTES,
  planes: [
    { name: 'quants', bits: 4, rowBytes: (cols) => (cols / SUPERBLOCK_WEIGHTS) * 128 },
    { name: 'scales', bits: 0.5, rowBytes: (cols) => (cols / SUPERBLOCK_WEIGHTS) * 16 },
  ],
  snippet: 'formats/q4_k',
  repack: 'repack/q4_k',
};
