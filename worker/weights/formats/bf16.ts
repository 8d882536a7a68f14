import type { WeightFormat } from '../types.ts';
import { UNIT_WEIGHTS, unitsOf } from './layout.ts';

const BYTES = 2;

/** The high halves of 32-bit floats, as in the file; a row is padded with zeros to whole units. */
export const bf16: WeightFormat = {
  name: 'bf16',
  ggmlType: 30,
  blockWeights: 1,
  blockBytes: BYTES,
  planes: [{ name: 'values', bits: 8 * BYTES, rowBytes: (cols) => unitsOf(cols) * UNIT_WEIGHTS * BYTES }],
  snippet: 'formats/bf16',
  repack: 'repack/halves',
};
