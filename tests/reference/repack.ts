/**
 * Tensors in planes, made in JavaScript: what the kernels of shaders/repack are compared with, bit by bit. It is checked
 * itself by putting the file's blocks together again.
 */

import { planeBytes } from '../../worker/weights/formats/index.ts';
import { SUPERBLOCK_WEIGHTS, UNIT_WEIGHTS, unitsOf, wordsOfHalves } from '../../worker/weights/formats/layout.ts';
import type { FormatName, WeightFormat } from '../../worker/weights/types.ts';

type Repack = (source: Uint8Array, rows: number, cols: number, planes: readonly Uint8Array[]) => void;

/** The planes of `rows` whole rows in file layout, at any address. */
export function repack(
  format: WeightFormat,
  source: Uint8Array,
  rows: number,
  cols: number,
): Uint8Array<ArrayBuffer>[] {
  const planes = planeBytes(format, rows, cols).map((bytes) => new Uint8Array(bytes));
  REPACK[format.name](source, rows, cols, planes);
  return planes;
}

const REPACK: Readonly<Record<FormatName, Repack>> = {
  f32: (source, rows, cols, [values]) => repackValues(source, rows, cols, 4, values),
  f16: (source, rows, cols, [values]) => repackValues(source, rows, cols, 2, values),
  bf16: (source, rows, cols, [values]) => repackValues(source, rows, cols, 2, values),
  q8_0(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = halvesOf(scalePlane);
    const units = unitsOf(cols);
    const scaleStride = wordsOfHalves(units) * 2;
    for (let row = 0, at = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++, at += HALVES.q8_0) {
        scales[row * scaleStride + unit] = scaleBits(halves[at] ?? 0);
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
  q4_0(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = halvesOf(scalePlane);
    const units = unitsOf(cols);
    const scaleStride = wordsOfHalves(units) * 2;
    for (let row = 0, at = 0, to = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++, at += HALVES.q4_0, to += 4) {
        scales[row * scaleStride + unit] = scaleBits(halves[at] ?? 0);
        repackHalfBytes(halves, at + 1, quants, to);
      }
      if (units % 2 === 1) scales[row * scaleStride + units] = 0;
    }
  },
  q4_1(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = wordsOf(scalePlane);
    const blocks = rows * unitsOf(cols);
    for (let block = 0, at = 0; block < blocks; block++, at += HALVES.q4_1) {
      scales[block] = scalePair(halves, at);
      repackHalfBytes(halves, at + 2, quants, block * 4);
    }
  },
  q4_k(source, rows, cols, [quantPlane, scalePlane]) {
    if (quantPlane === undefined || scalePlane === undefined) return;
    const halves = halvesOf(source);
    const quants = wordsOf(quantPlane);
    const scales = wordsOf(scalePlane);
    const superblocks = cols / SUPERBLOCK_WEIGHTS;
    for (let block = 0, at = 0; block < rows * superblocks; block++, at += HALVES.q4_k) {
      repackScales(halves, at, scales, Math.floor(block / superblocks), block % superblocks, superblocks);
      for (let pair = 0; pair < 4; pair++) {
        for (let word = 0; word < 4; word++) {
          const from = at + 8 + pair * 16 + word * 2;
          const to = block * 32 + pair * 8 + word;
          const a = wordAt(halves, from);
          const b = wordAt(halves, from + 8);
          quants[to] = packNibbles((a & 0x0f0f0f0f) | ((b & 0x0f0f0f0f) << 4));
          quants[to + 4] = packNibbles(((a >>> 4) & 0x0f0f0f0f) | (b & 0xf0f0f0f0));
        }
      }
    }
  },
  q6_k(source, rows, cols, [quantPlane, highPlane, scalePlane]) {
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
      for (let block = 0; block < superblocks; block++, at += HALVES.q6_k) {
        const firstUnit = (row * superblocks + block) * 8;
        for (let unit = 0; unit < 8; unit++) {
          for (let eight = 0; eight < 2; eight++) repackEights(halves, at, unit, eight, quants, high, firstUnit + unit);
        }
        for (let i = 0; i < 4; i++) {
          const from = at + 96 + i * 2;
          const [even, odd] = [halves[from] ?? 0, halves[from + 1] ?? 0];
          const groups = [even & 255, odd & 255, even >> 8, odd >> 8]; // first groups of two units, then second ones
          scales[rowScales + block * 4 + i] =
            groups.reduce((word, byte, j) => word | (byte << (8 * j)), 0) ^ 0x80808080;
        }
        const factor = scaleBits(halves[at + 104] ?? 0) << ((block & 1) * 16);
        scales[rowFactors + (block >> 1)] = (scales[rowFactors + (block >> 1)] ?? 0) | factor;
      }
    }
  },
};

/** Halves of a block. */
const HALVES = { q8_0: 17, q4_0: 9, q4_1: 10, q4_k: 72, q6_k: 105 };

/**
 * Bits of a half times 1024: subnormal ones become normal, which GPUs do not take for zero. All is exact below 64; what is
 * more, and no file has, becomes the largest half.
 */
export function scaleBits(half: number): number {
  const sign = half & 0x8000;
  const exponent = (half >> 10) & 31;
  if (exponent > 20) return sign | 0x7bff;
  if (exponent > 0) return half + (10 << 10);
  const fraction = half & 1023;
  if (fraction === 0) return sign;
  const top = 31 - Math.clz32(fraction);
  return sign | ((top + 1) << 10) | ((fraction << (10 - top)) & 1023);
}

function scalePair(halves: Uint16Array, at: number): number {
  return scaleBits(halves[at] ?? 0) | (scaleBits(halves[at + 1] ?? 0) << 16);
}

/** 16 bytes whose low nibbles are 16 weights and whose high nibbles the next 16, as one unit of four words. */
function repackHalfBytes(halves: Uint16Array, at: number, quants: Uint32Array, to: number): void {
  for (let i = 0; i < 4; i++) quants[to + i] = packNibbles(wordAt(halves, at + i * 2));
}

/** The 12 bytes: scales 0–3, minima 0–3 (6 bits), nibbles of scales and minima 4–7, whose top bits are in the first 8. */
function repackScales(
  halves: Uint16Array,
  at: number,
  scales: Uint32Array,
  row: number,
  superblock: number,
  superblocks: number,
): void {
  const byte = (i: number) => ((halves[at + 2 + (i >> 1)] ?? 0) >> ((i & 1) * 8)) & 255;
  const fields = Array.from({ length: 16 }, (_, field) => {
    const j = field & 7;
    const first = field < 8 ? 0 : 4; // scales, or minima
    if (j < 4) return byte(first + j) & 63;
    return ((byte(4 + j) >> first) & 15) | ((byte(first + j - 4) >> 6) << 4);
  });
  // four rows side by side
  const start = (row >> 2) * (superblocks * 4 + Math.ceil(superblocks / 2)) * 4 + (row & 3);
  const header = start + superblock * 16;
  scales[header] = scalePair(halves, at);
  for (let word = 0; word < 3; word++) {
    scales[header + 4 + word * 4] = fields
      .slice(word * 5, word * 5 + 5)
      .reduce((packed, field, i) => packed | (field << (i * 6)), 0);
  }
  const last = start + superblocks * 16 + (superblock >> 1) * 4;
  const other = superblock % 2 === 0 ? 0 : (scales[last] ?? 0);
  scales[last] = other | ((fields[15] ?? 0) << ((superblock % 2) * 16));
}

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
    const first = sixBits(wordAt(halves, lowAt + low), wordAt(halves, highAt + low), lowShift, highShift);
    const last = sixBits(wordAt(halves, lowAt + low + 2), wordAt(halves, highAt + low + 2), lowShift, highShift);
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

function wordAt(halves: Uint16Array, at: number): number {
  return (halves[at] ?? 0) | ((halves[at + 1] ?? 0) << 16);
}

function sixBits(low: number, high: number, lowShift: number, highShift: number): number {
  return ((low >>> lowShift) & 0x0f0f0f0f) | (((high >>> highShift) & 0x03030303) << 4);
}

/**
 * The file's bytes as 16-bit numbers: every block has an even size, so this reads all of them, wherever they start.
 * An odd address, which no aligned checkpoint has, costs a copy.
 */
function halvesOf(source: Uint8Array): Uint16Array {
  const aligned = source.byteOffset % 2 === 0 ? source : source.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}

function wordsOf(plane: Uint8Array): Uint32Array {
  return new Uint32Array(plane.buffer, plane.byteOffset, plane.byteLength >> 2);
}

/**
 * Four bytes, whose low nibbles are weights 4j … 4j + 3 of a unit and high nibbles 16 weights later, in the order that
 * kernels unpack: bytes 0, 2, 1, 3, so that one mask takes two neighbours, and two bits round, so that two nibbles lie
 * below the exponent of a half.
 */
function packNibbles(bytes: number): number {
  const packed = (bytes & 0xff0000ff) | ((bytes & 0xff00) << 8) | ((bytes >>> 8) & 0xff00);
  return (packed << 2) | (packed >>> 30);
}

/** Rows of plain numbers, copied with zeros behind each up to whole units. */
function repackValues(
  source: Uint8Array,
  rows: number,
  cols: number,
  bytes: number,
  plane: Uint8Array | undefined,
): void {
  if (plane === undefined) return;
  const from = cols * bytes;
  const to = unitsOf(cols) * UNIT_WEIGHTS * bytes;
  if (from === to) {
    plane.set(source.subarray(0, rows * from));
    return;
  }
  for (let row = 0; row < rows; row++) {
    plane.set(source.subarray(row * from, (row + 1) * from), row * to);
    plane.fill(0, row * to + from, (row + 1) * to);
  }
}
