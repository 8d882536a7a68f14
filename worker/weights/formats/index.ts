import { InternalError } from '../../errors.ts';
import type { FormatName, WeightFormat } from '../types.ts';
import { bf16 } from './bf16.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
import { bytesOfPlane } from './layout.ts';
import { q4_0 } from './q4_0.ts';
import { q4_1 } from './q4_1.ts';
import { q4_k } from './q4_k.ts';
import { q6_k } from './q6_k.ts';
import { q8_0 } from './q8_0.ts';

/** Every tensor format that has a reader here. */
export const FORMATS: readonly WeightFormat[] = [f32, f16, bf16, q8_0, q4_0, q4_1, q4_k, q6_k];

const byName = new Map(FORMATS.map((format) => [format.name, format]));

export function formatByName(name: FormatName): WeightFormat {
  const format = byName.get(name);
  if (format === undefined) throw new InternalError(`There is no tensor format ${name}.`);
  return format;
}

/** Bytes of each plane of a tensor, in the order of `format.planes`. */
export function planeBytes(format: WeightFormat, rows: number, cols: number): readonly number[] {
  return format.planes.map((plane) => bytesOfPlane(plane, rows, cols));
}

/** Bytes that a tensor takes on the GPU: all its planes. */
export function tensorBytes(format: WeightFormat, rows: number, cols: number): number {
  return planeBytes(format, rows, cols).reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes of `rows` rows in the file. */
export function fileBytes(format: WeightFormat, rows: number, cols: number): number {
  return ((rows * cols) / format.blockWeights) * format.blockBytes;
}
