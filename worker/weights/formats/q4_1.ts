import type { WeightFormat } from '../types.ts';
import { halvesOf, unitsOf, wordsOf } from './layout.ts';
import { repackHalfBytes } from './q4_0.ts';

const BLOCK_BYTES = 20;
const BLOCK_HALVES = BLOCK_BYTES / 2;

/**
 * ggml's block_q4_1: halves d and m, then 16 bytes as in Q4_0; weight = d * q + m.
 * quants: four words a unit (packNibbles). scales: a word a unit, d low, m high.
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
  repack(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = wordsOf(scalePlane);
    const blocks = rows * unitsOf(cols);
    for (let block = 0, at = 0; block < blocks; block++, at += BLOCK_HALVES) {
      scales[block] = (halves[at] ?? 0) | ((halves[at + 1] ?? 0) << 16);
      repackHalfBytes(halves, at + 2, quants, block * 4);
    }
  },
  snippet: 'formats/q4_1',
};
