import type { WeightFormat } from '../types.ts';
import { unitsOf, wordsOfHalves } from './layout.ts';

const BLOCK_BYTES = 18;

/**
 * ggml's block_q4_0: a half d, then 16 bytes whose low nibbles are weights 0–15 and high nibbles 16–31;
 * weight = d * (q - 8). quants: four words a unit (parts/pack_nibbles). scales: halves d * 1024 (layout.ts).
 */
export const q4_0: WeightFormat = {
  name: 'q4_0',
  ggmlType: 2,
  blockWeights: 32,
  blockBytes: BLOCK_BYTES,
  planes: [
    { name: 'quants', bits: 4, rowBytes: (cols) => unitsOf(cols) * 16 },
    { name: 'scales', bits: 0.5, rowBytes: (cols) => wordsOfHalves(unitsOf(cols)) * 4 },
  ],
  snippet: 'formats/q4_0',
  repack: 'repack/q4_0',
};
