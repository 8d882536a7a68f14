import type { WeightFormat } from '../types.ts';
import { UNIT_WEIGHTS, unitsOf } from './layout.ts';

const BYTES = 4;

/** 32-bit floats, as in the file; a row is padded with zeros to whole units. */
export const f32: WeightFormat = {
  name: 'f32',
  ggmlType: 0,
  blockWeights: 1,
  blockBytes: BYTES,
  planes: [{ name: 'values', bits: 8 * BYTES, rowBytes: (cols) => unitsOf(cols) * UNIT_WEIGHTS * BYTES }],
  snippet: 'formats/f32',
  repack: 'repack/words',
};
