import type { Plane } from '../types.ts';

/**
 * What the formats' files share: strides. The halves in planes of scales are the file's times 1024: those of 4- and 6-bit
 * formats often are subnormal, which GPUs may take for zero. All below 64 stay exact; larger ones, which no file has,
 * become the largest half (shaders/parts/scale_bits.wgsl).
 */

/** Weights that a kernel unpacks at a time; float rows are padded to a multiple of it. */
export const UNIT_WEIGHTS = 32;
/** Weights of one block of the K formats. */
export const SUPERBLOCK_WEIGHTS = 256;

/** Bytes of `rows` rows in a plane. */
export function bytesOfPlane(plane: Pick<Plane, 'rowBytes' | 'rowsTogether'>, rows: number, cols: number): number {
  const { rowsTogether = 1 } = plane;
  return Math.ceil(rows / rowsTogether) * rowsTogether * plane.rowBytes(cols);
}

export function unitsOf(cols: number): number {
  return Math.ceil(cols / UNIT_WEIGHTS);
}

/** Words of a row of `count` halves, the last half of an odd number left zero. */
export function wordsOfHalves(count: number): number {
  return Math.ceil(count / 2);
}
