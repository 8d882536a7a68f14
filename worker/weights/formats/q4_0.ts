import type { WeightFormat } from '../types.ts';
import { halvesOf, packNibbles, unitsOf, wordsOf, wordsOfHalves } from './layout.ts';

const BLOCK_BYTES = 18;
const BLOCK_HALVES = BLOCK_BYTES / 2;

/**
 * ggml's block_q4_0: a half d, then 16 bytes whose low nibbles are weights 0–15 and high nibbles 16–31;
 * weight = d * (q - 8). quants: four words a unit (packNibbles). scales: halves d.
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
  repack(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = halvesOf(scalePlane);
    const units = unitsOf(cols);
    const scaleStride = wordsOfHalves(units) * 2;
    for (let row = 0, at = 0, to = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++, at += BLOCK_HALVES, to += 4) {
        scales[row * scaleStride + unit] = halves[at] ?? 0;
        repackHalfBytes(halves, at + 1, quants, to);
      }
      if (units % 2 === 1) scales[row * scaleStride + units] = 0;
    }
  },
  snippet: 'formats/q4_0',
};

/** 16 bytes whose low nibbles are 16 weights and whose high nibbles the next 16, as one unit of four words. */
export function repackHalfBytes(halves: Uint16Array, at: number, quants: Uint32Array, to: number): void {
  const a = (halves[at] ?? 0) | ((halves[at + 1] ?? 0) << 16);
  const b = (halves[at + 2] ?? 0) | ((halves[at + 3] ?? 0) << 16);
  const c = (halves[at + 4] ?? 0) | ((halves[at + 5] ?? 0) << 16);
  const d = (halves[at + 6] ?? 0) | ((halves[at + 7] ?? 0) << 16);
  quants[to] = packNibbles(a, b);
  quants[to + 1] = packNibbles(c, d);
  quants[to + 2] = packNibbles(a >>> 4, b >>> 4);
  quants[to + 3] = packNibbles(c >>> 4, d >>> 4);
}
