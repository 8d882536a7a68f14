import type { WeightFormat } from '../types.ts';
import { halvesOf, packNibbles, SUPERBLOCK_WEIGHTS, wordsOf } from './layout.ts';

const BLOCK_BYTES = 144;
const BLOCK_HALVES = BLOCK_BYTES / 2;

/**
 * ggml's block_q4_K: halves d and dmin, 12 bytes with the 6-bit scale and minimum of 8 sub-blocks, then 128 bytes: each
 * 32 of them hold one sub-block in their low nibbles and the next in their high ones; weight = d * scale * q - dmin * min.
 * quants: four words a unit (packNibbles). scales: four words a superblock: d and dmin; then for sub-block j byte j of
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
  repack(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = wordsOf(scalePlane);
    const blocks = rows * (cols / SUPERBLOCK_WEIGHTS);
    for (let block = 0, at = 0; block < blocks; block++, at += BLOCK_HALVES) {
      repackScales(halves, at, scales, block * 4);
      for (let pair = 0; pair < 4; pair++) {
        for (let word = 0; word < 4; word++) {
          const from = at + 8 + pair * 16 + word * 4;
          const to = block * 32 + pair * 8 + word;
          const a = (halves[from] ?? 0) | ((halves[from + 1] ?? 0) << 16);
          const b = (halves[from + 2] ?? 0) | ((halves[from + 3] ?? 0) << 16);
          quants[to] = packNibbles(a, b);
          quants[to + 4] = packNibbles(a >>> 4, b >>> 4);
        }
      }
    }
  },
  snippet: 'formats/q4_k',
};

/** The 12 bytes: scales 0–3, minima 0–3 (6 bits), nibbles of scales and minima 4–7, whose top bits are in the first 8. */
function repackScales(halves: Uint16Array, at: number, scales: Uint32Array, to: number): void {
  const a = (halves[at + 2] ?? 0) | ((halves[at + 3] ?? 0) << 16);
  const b = (halves[at + 4] ?? 0) | ((halves[at + 5] ?? 0) << 16);
  const c = (halves[at + 6] ?? 0) | ((halves[at + 7] ?? 0) << 16);
  const minimaLow = b & 0x3f3f3f3f;
  const minimaHigh = ((c >>> 4) & 0x0f0f0f0f) | ((b >>> 2) & 0x30303030);
  const scalesLow = a & 0x3f3f3f3f;
  const scalesHigh = (c & 0x0f0f0f0f) | ((a >>> 2) & 0x30303030);
  scales[to] = (halves[at] ?? 0) | ((halves[at + 1] ?? 0) << 16);
  scales[to + 1] = scalesLow | ((minimaLow & 0x03030303) << 6);
  scales[to + 2] = scalesHigh | ((minimaHigh & 0x03030303) << 6);
  scales[to + 3] = gatherNibbles(minimaLow >>> 2) | (gatherNibbles(minimaHigh >>> 2) << 16);
}

/** The low nibbles of a word's four bytes, side by side in 16 bits. */
function gatherNibbles(word: number): number {
  const nibbles = word & 0x0f0f0f0f;
  const pairs = nibbles | (nibbles >>> 4);
  return (pairs & 0xff) | ((pairs >>> 8) & 0xff00);
}
