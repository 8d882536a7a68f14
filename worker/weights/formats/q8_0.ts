import type { WeightFormat } from '../types.ts';
import { halvesOf, unitsOf, wordsOf, wordsOfHalves } from './layout.ts';

const BLOCK_BYTES = 34;
const BLOCK_HALVES = BLOCK_BYTES / 2;

/**
 * ggml's block_q8_0: a half d, then 32 signed bytes q; weight = d * q.
 * quants: bytes q + 128, per row the units' first 16 weights, then their last 16; in a word, byte 0, 2, 1, 3 hold weights
 * 0, 1, 2, 3. scales: halves d.
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
  repack(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = halvesOf(scalePlane);
    const units = unitsOf(cols);
    const scaleStride = wordsOfHalves(units) * 2;
    for (let row = 0, at = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++, at += BLOCK_HALVES) {
        scales[row * scaleStride + unit] = halves[at] ?? 0;
        for (let vector = 0; vector < 2; vector++) {
          const from = at + 1 + vector * 8;
          const to = ((row * 2 + vector) * units + unit) * 4;
          for (let i = 0; i < 4; i++) {
            const low = halves[from + i * 2] ?? 0;
            const high = halves[from + i * 2 + 1] ?? 0;
            const word = (low & 0xff) | ((high & 0xff) << 8) | ((low & 0xff00) << 8) | ((high & 0xff00) << 16);
            quants[to + i] = word ^ 0x80808080;
          }
        }
      }
      if (units % 2 === 1) scales[row * scaleStride + units] = 0;
    }
  },
  snippet: 'formats/q8_0',
};
