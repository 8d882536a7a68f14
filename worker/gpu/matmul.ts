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

/** Rows of the weight that a tile covers. */
const TILE_COLUMNS = 64;
const UNIT_COLUMNS = 32;
/** Weights that are unpacked together. */
const SIXTEEN = 16;
/** Rows that a thread computes, and columns of one of its fours. */
const FOUR = 4;

interface Tile {
  /** Of y, that it covers. */
  readonly rows: number;
  /** Fours of columns that a thread makes of each of its four rows. */
  readonly columnFours: number;
}

/**
 * Largest first. Eight columns a thread load the least from workgroup memory; four let more threads share few rows.
 * In f32, 64 rows would pass 16 KiB of workgroup memory, and eight columns 128 half registers on Apple GPUs.
 */
const TILES: Readonly<Record<StorageType, readonly Tile[]>> = {
  f16: [
    { rows: 64, columnFours: 2 },
    { rows: 32, columnFours: 1 },
    { rows: 16, columnFours: 1 },
    { rows: 8, columnFours: 1 },
  ],
  f32: [
    { rows: 32, columnFours: 1 },
    { rows: 16, columnFours: 1 },
    { rows: 8, columnFours: 1 },
  ],
};
/** What loading and unpacking the weights of a tile costs, in rows of multiply-adds, roughly. */
const UNPACKING_ROWS = 8;

/** The tile that serves `batch` rows at the least cost; of equal ones the largest. */
export function tileFor(storage: StorageType, batch: number): Tile {
  const cost = ({ rows }: Tile) => Math.ceil(batch / rows) * (rows + UNPACKING_ROWS);
  return TILES[storage].reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

/** The product of one part with any number of rows: the last tile may reach beyond them. */
export function matmulKernel(storage: StorageType, form: LinearForm, part: PartRows): LinearKernel {
  const { weight, batch } = form;
  const { rows, columnFours } = tileFor(storage, batch);
  const threads = (rows * TILE_COLUMNS) / (FOUR * FOUR * columnFours);
  const sixteens = (TILE_COLUMNS * UNIT_COLUMNS) / SIXTEEN / threads;
  const parts = Math.min(2, sixteens);
  /** Of 16 bytes, of a unit of a row. */
  const vectors = storage === 'f16' ? 4 : 8;
  const constants = {
    ...linearConstants(storage, form),
    format: `formats/tile/${weight.format.name}`,
    tile: rows,
    columns: FOUR * columnFours,
    vectors,
    inputVectors: (vectors * columnFours) / FOUR,
    threads,
    parts,
    weightRows: sixteens / parts,
  };
  const grid: Grid = [Math.ceil(outputColumns(weight, part) / TILE_COLUMNS), Math.ceil(batch / rows), 1];
  return {
    name: 'linear_tile',
    constants,
    about: aboutProduct(weight.format, rows, [rows, TILE_COLUMNS]),
    shape: linearShape(form, part),
    grid,
  };
}
