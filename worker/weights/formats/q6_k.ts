import type { WeightFormat } from '../types.ts';
import { SUPERBLOCK_WEIGHTS, wordsOfHalves } from './layout.ts';

const BLOCK_BYTES = 210;

/**
 * ggml's block_q6_K: 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales (one for 16 weights), a half d;
 * weight = d * scale * (q - 32), q = low | high << 4. Of each half superblock, byte l of the low nibbles holds weights l
 * (low) and l + 64, byte l + 32 weights l + 32 and l + 96; byte l of the high bits the four of them, from bit 0 up.
 *
 * Repacked, three words a, b, c hold 16 weights, those of a unit's first group of 16 in low halves and the same of its
 * second group in high halves: six of eight at bits 0 and 6 of a, b, c; the low nibbles of the last two on top of a and
 * c, their high bits on top of b. quants: a, b of weights 0–7 and of 8–15 of both groups, a vector of four words a unit.
 * high: the two c. scales: a row's scales + 128 as bytes, a word for two units
 * (of their first groups, then of their second), then its halves d * 1024 (layout.ts).
 */
export const q6_k: WeightFormat = {
  name: 'q6_k',
  ggmlType: 14,
  blockWeights: SUPERBLOCK_WEIGHTS,
  blockBytes: BLOCK_BYTES,
  planes: [
    { name: 'quants', bits: 4, rowBytes: (cols) => (cols / SUPERBLOCK_WEIGHTS) * 128 },
    { name: 'high', bits: 2, rowBytes: (cols) => (cols / SUPERBLOCK_WEIGHTS) * 64 },
    { name: 'scales', bits: 0.5625, rowBytes: (cols) => scaleWords(cols / SUPERBLOCK_WEIGHTS) * 4 },
  ],
  snippet: 'formats/q6_k',
  repack: 'repack/q6_k',
};

function scaleWords(superblocks: number): number {
  return superblocks * 4 + wordsOfHalves(superblocks);
}
