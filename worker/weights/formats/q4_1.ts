import type { WeightFormat } from '../types.ts';
import { unitsOf } from './layout.ts';

const BLOCK_BYTES = 20;

/**
 * ggml's block_q4_1: halves d and m, then 16 bytes as in Q4_0; weight = d * q + m.
 * quants: four words a unit (parts/pack_nibbles). scales: a word a unit, d low, m high, * 1024 (layout.ts).
 */
export const q4_1: WeightFormat = {
  name: 'q4_1',
  ggmlType: 3,
  blockWeights: 32,
  blockBytes: BLOCK_BYTES,
  planes: [
    { name: 'quants', bits: 4, rowBytes: (cols) => unitsOf(cols) * 16 },
    { name: 'scales', bits: 1, rowBytes: (cols) => unitsOf(cols) * 4 },
  ],
  snippet: 'formats/q4_1',
  repack: 'repack/q4_1',
};
