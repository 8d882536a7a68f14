import type { WeightFormat } from '../types.ts';
import { halvesOf, SUPERBLOCK_WEIGHTS, wordsOf, wordsOfHalves } from './layout.ts';

const BLOCK_BYTES = 210;
const BLOCK_HALVES = BLOCK_BYTES / 2;
const UNITS = 8;

/**
 * ggml's block_q6_K: 128 bytes of low nibbles, 64 of high pairs of bits, 16 signed scales (one for 16 weights), a half d;
 * weight = d * scale * (q - 32), q = low | high << 4. Of each half superblock, byte l of the low nibbles holds weights l
 * (low) and l + 64, byte l + 32 weights l + 32 and l + 96; byte l of the high bits the four of them, from bit 0 up.
 *
 * Repacked, three words a, b, c hold 16 weights, those of a unit's first group of 16 in low halves and the same of its
 * second group in high halves: six of eight at bits 0 and 6 of a, b, c; the low nibbles of the last two on top of a and
 * c, their high bits on top of b. quants: a, b of weights 0–7 and of 8–15 of both groups, a vector of four words a unit.
 * high: the two c. scales: a row's scales + 128 as bytes, then its halves d.
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
  repack(source, rows, cols, [quantPlane, highPlane, scalePlane]) {
    if (quantPlane === undefined || highPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const high = wordsOf(highPlane);
    const scales = wordsOf(scalePlane);
    const superblocks = cols / SUPERBLOCK_WEIGHTS;
    for (let row = 0, at = 0; row < rows; row++) {
      const rowScales = row * scaleWords(superblocks);
      const rowFactors = rowScales + superblocks * 4;
      scales.fill(0, rowFactors, rowFactors + wordsOfHalves(superblocks));
      for (let block = 0; block < superblocks; block++, at += BLOCK_HALVES) {
        const firstUnit = (row * superblocks + block) * UNITS;
        for (let unit = 0; unit < UNITS; unit++) {
          for (let eight = 0; eight < 2; eight++) repackEights(halves, at, unit, eight, quants, high, firstUnit + unit);
        }
        for (let i = 0; i < 4; i++) {
          const from = at + 96 + i * 2;
          scales[rowScales + block * 4 + i] = ((halves[from] ?? 0) | ((halves[from + 1] ?? 0) << 16)) ^ 0x80808080;
        }
        const factor = (halves[at + 104] ?? 0) << ((block & 1) * 16);
        scales[rowFactors + (block >> 1)] = (scales[rowFactors + (block >> 1)] ?? 0) | factor;
      }
    }
  },
  snippet: 'formats/q6_k',
};

function scaleWords(superblocks: number): number {
  return superblocks * 4 + wordsOfHalves(superblocks);
}

/** Weights 8*eight … 8*eight + 7 of both groups of a unit: one triple of words. */
function repackEights(
  halves: Uint16Array,
  at: number,
  unit: number,
  eight: number,
  quants: Uint32Array,
  high: Uint32Array,
  toUnit: number,
): void {
  const part = unit & 3; // which 32 of a half superblock's 128
  const half = unit >> 2;
  const lowAt = at + half * 32 + (part & 1) * 16 + eight * 4;
  const highAt = at + 64 + half * 16 + eight * 4;
  const lowShift = (part >> 1) * 4;
  const highShift = part * 2;
  let a = 0;
  let b = 0;
  let c = 0;
  for (let group = 0; group < 2; group++) {
    // 6-bit values in the bytes of two words: weights 0–3 and 4–7 of the group
    const low = group * 8;
    const first = sixBits(word(halves, lowAt + low), word(halves, highAt + low), lowShift, highShift);
    const last = sixBits(word(halves, lowAt + low + 2), word(halves, highAt + low + 2), lowShift, highShift);
    const shift = group * 16;
    const sixth = (last >>> 16) & 0x3f;
    const seventh = last >>> 24;
    a |= ((first & 0x3f) | ((first >>> 2) & 0xfc0) | ((sixth & 0xf) << 12)) << shift;
    b |= (((first >>> 16) & 0x3f) | ((first >>> 18) & 0xfc0) | ((sixth >> 4) << 12) | ((seventh >> 4) << 14)) << shift;
    c |= ((last & 0x3f) | ((last >>> 2) & 0xfc0) | ((seventh & 0xf) << 12)) << shift;
  }
  quants[toUnit * 4 + eight * 2] = a;
  quants[toUnit * 4 + eight * 2 + 1] = b;
  high[toUnit * 2 + eight] = c;
}

function word(halves: Uint16Array, at: number): number {
  return (halves[at] ?? 0) | ((halves[at + 1] ?? 0) << 16);
}

function sixBits(low: number, high: number, lowShift: number, highShift: number): number {
  return ((low >>> lowShift) & 0x0f0f0f0f) | (((high >>> highShift) & 0x03030303) << 4);
}
