import type { WeightFormat } from '../types.ts';
import { UNIT_WEIGHTS, unitsOf } from './layout.ts';

const BYTES = 2;

/** 16-bit floats, as in the file; a row is padded with zeros to whole units. */
export const f16: WeightFormat = {
  name: 'f16',
  ggmlType: 1,
  blockWeights: 1,
  blockBytes: BYTES,
  planes: [{ name: 'values', bits: 8 * BYTES, rowBytes: (cols) => unitsOf(cols) * UNIT_WEIGHTS * BYTES }],
  snippet: 'formats/f16',
  repack: 'repack/halves',
};
