import { aboutProduct } from './about.ts';
import type { StorageType } from './device.ts';
import {
  type LinearForm,
  type LinearKernel,
  linearConstants,
  linearShape,
  outputColumns,
  type PartRows,
} from './product.ts';
import type { Grid } from './program.ts';

/** Rows of the weight that a tile covers, and how many outputs each of its threads makes. */
const TILE_COLUMNS = 64;
const OUTPUTS_PER_THREAD = 16;
/** Rows of y that a tile covers, largest first. With f32 in workgroup memory 64 would pass 16 KiB. */
const TILE_ROWS: Readonly<Record<StorageType, readonly number[]>> = { f16: [64, 32, 16, 8], f32: [32, 16, 8] };

/** Rows of the tiles that a batch is cut into, if it can be. */
export function tileRows(storage: StorageType, batch: number): number | undefined {
  return TILE_ROWS[storage].find((rows) => batch > 0 && batch % rows === 0);
}

/** The product of one part with a whole number of tiles of `tile` rows. */
export function matmulKernel(storage: StorageType, form: LinearForm, part: PartRows, tile: number): LinearKernel {
  const threads = (tile * TILE_COLUMNS) / OUTPUTS_PER_THREAD;
  const grid: Grid = [Math.ceil(outputColumns(form.weight, part) / TILE_COLUMNS), form.batch / tile, 1];
  const constants = { ...linearConstants(storage, form), tile, threads };
  const about = aboutProduct(form.weight.format, tile, [tile, TILE_COLUMNS]);
  return { name: 'linear_tile', constants, about, shape: linearShape(form, part), grid };
}
