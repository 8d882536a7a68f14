import type { WeightFormat } from '../types.ts';
import { SUPERBLOCK_WEIGHTS } from './layout.ts';

const BLOCK_BYTES = 144;

/**
 * ggml's block_q4_K: halves d and dmin, 12 bytes with the 6-bit scale and minimum of 8 sub-blocks, then 128 bytes: each
 * 32 of them hold one sub-block in their low nibbles and the next in their high ones; weight = d * scale * q - dmin * min.
 * quants: four words a unit (parts/pack_nibbles). scales: four rows side by side, a word of each in a vector: of each
 * superblock d and dmin * 1024 (layout.ts), then three words of five 6-bit fields: scales 0–7, minima 0–6; behind all
 * superblocks a word for each two of them, minimum 7 in either half: two bytes a superblock more than the file.
 */
export const q4_k: WeightFormat = {
  name: 'q4_k',
  ggmlType: 12,
  blockWeights: SUPERBLOCK_WEIGHTS,
  blockBytes: BLOCK_BYTES,
  planes: [
    { name: 'quants', bits: 4, rowBytes: (cols) => (cols / SUPERBLOCK_WEIGHTS) * 128 },
    { name: 'scales', bits: 0.5625, rowBytes: (cols) => scaleWords(cols / SUPERBLOCK_WEIGHTS) * 4, rowsTogether: 4 },
  ],
  snippet: 'formats/q4_k',
  repack: 'repack/q4_k',
};

function scaleWords(superblocks: number): number {
  return superblocks * 4 + Math.ceil(superblocks / 2);
}
