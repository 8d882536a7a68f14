import type { WeightFormat } from '../types.ts';
import { unitsOf, wordsOfHalves } from './layout.ts';

const BLOCK_BYTES = 34;

/**
 * ggml's block_q8_0: a half d, then 32 signed bytes q; weight = d * q.
 * quants: bytes q + 128, per row the units' first 16 weights, then their last 16; in a word, byte 0, 2, 1, 3 hold weights
 * 0, 1, 2, 3. scales: halves d * 1024 (layout.ts).
 */
export const q8_0: WeightFormat = {
  name: 'q8_0',
  ggmlType: 8,
  blockWeights: 32,
  blockBytes: BLOCK_BYTES,
  planes: [
    { name: 'quants', bits: 8, rowBytes: (cols) => unitsOf(cols) * 32 },
    { name: 'scales', bits: 0.5, rowBytes: (cols) => wordsOfHalves(unitsOf(cols)) * 4 },
  ],
  snippet: 'formats/q8_0',
  repack: 'repack/q8_0',
};
