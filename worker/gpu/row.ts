import type { StorageType } from './device.ts';
import { padded } from './step.ts';

/** The TypeScript side of shaders/parts/row.wgsl: a row of activations with its tail, in bytes. */
export interface RowLayout {
  /** Columns of the values, a multiple of 32. */
  readonly columns: number;
  /** Where in the row the sums of eights begin; all three are f32, at multiples of 16. */
  readonly sums: number;
  /** Where the power of two is that the values were multiplied by. */
  readonly scale: number;
  /** Where the sums of squares of eights begin. */
  readonly squares: number;
  /** From one row to the next. */
  readonly stride: number;
}

/** From one row to the next, in elements of the storage type. */
export function rowStride(storage: StorageType, cols: number): number {
  return rowLayout(storage, cols).stride / (storage === 'f16' ? 2 : FLOAT_BYTES);
}

const EIGHT = 8;
const FLOAT_BYTES = 4;
const SCALE_BYTES = 16;

export function rowLayout(storage: StorageType, cols: number): RowLayout {
  const columns = padded(cols);
  const sumsBytes = (columns / EIGHT) * FLOAT_BYTES;
  const sums = columns * (storage === 'f16' ? 2 : FLOAT_BYTES);
  const scale = sums + sumsBytes;
  const squares = scale + SCALE_BYTES;
  return { columns, sums, scale, squares, stride: squares + sumsBytes };
}
