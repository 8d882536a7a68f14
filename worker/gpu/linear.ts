import { InternalError } from '../errors.ts';
import type { Gpu, StorageType } from './device.ts';
import type { Dispatch, Grid } from './program.ts';
import type { Constants } from './specialize.ts';
import { padded, UNIT } from './step.ts';
import type { GpuTensor, TensorPart } from './tensor.ts';

export interface Linear {
  readonly weight: GpuTensor;
  /** `batch` rows of the storage type, padded(cols) columns apart, zeros beyond `cols`. */
  readonly x: GPUBuffer;
  /** `batch` rows, padded(rows) columns apart; columns beyond `rows` become zero. */
  readonly y: GPUBuffer;
  /** Rows of x and y: 1, 2, 4 or a multiple of 8. */
  readonly batch: number;
  /** What y holds: the storage type, or f32. */
  readonly output: 'storage' | 'f32';
  /** Adds to what y holds. */
  readonly accumulate: boolean;
  /** f32, `rows` of them. */
  readonly bias?: GPUBuffer;
}

/** A shader file, the constants that specialize it, and its grid. */
export interface LinearKernel {
  readonly name: 'linear_vector' | 'linear_tile';
  readonly constants: Constants;
  readonly grid: Grid;
}

/** Threads of linear_vector's workgroup, and rows of the weight that each group of lanes takes. */
const VECTOR_THREADS = 64;
const VECTOR_ROWS = 4;

/** Rows of the weight that a tile covers, and columns of outputs that its threads make each. */
const TILE_COLUMNS = 64;
const COLUMNS_PER_THREAD = 4;
/** Largest first. With f32 in workgroup memory 64 rows would pass 16 KiB. */
const TILE_ROWS: Readonly<Record<StorageType, readonly number[]>> = { f16: [64, 32, 16, 8], f32: [32, 16, 8] };

/** y = x times the transposed weight, plus bias, plus what y held: one dispatch a part of the weight. */
export function linear(gpu: Gpu, options: Linear): Dispatch[] {
  const { weight, x, y, bias } = options;
  return weight.parts.map((part) => {
    const { name, constants, grid } = linearKernel(gpu.storage, options, part);
    const kernel = gpu.kernels.get(name, constants);
    return { kernel, buffers: [...part.planes, x, y, ...(bias === undefined ? [] : [bias])], grid };
  });
}

/** Which kernel serves one part of a product, and how it is specialized. */
export function linearKernel(
  storage: StorageType,
  { weight, batch, output, accumulate, bias }: Omit<Linear, 'x' | 'y'>,
  part: Pick<TensorPart, 'rowStart' | 'rows'>,
): LinearKernel {
  const planes = weight.format.planes.length;
  const units = padded(weight.cols) / UNIT;
  const last = part.rowStart + part.rows === weight.rows;
  const paddedRows = last ? padded(weight.rows) - part.rowStart : part.rows;
  const shared = {
    f16: storage === 'f16',
    format: weight.format.snippet,
    units,
    rows: part.rows,
    paddedRows,
    rowStart: part.rowStart,
    yStride: padded(weight.rows),
    wide: output === 'f32',
    accumulate,
    bias: bias !== undefined,
    xBinding: planes,
    yBinding: planes + 1,
    biasBinding: planes + 2,
  };
  if (batch === 1 || batch === 2 || batch === 4) {
    const lanes = lanesFor(units);
    const groups = VECTOR_THREADS / lanes;
    const grid: Grid = [Math.ceil(paddedRows / (VECTOR_ROWS * groups)), 1, 1];
    return { name: 'linear_vector', constants: { ...shared, batch, lanes, groups }, grid };
  }
  const tile = TILE_ROWS[storage].find((rows) => batch > 0 && batch % rows === 0);
  if (tile === undefined) {
    throw new InternalError(`A product of ${batch} rows was asked for: 1, 2, 4 or a multiple of 8 are allowed.`);
  }
  const perThread = tile === 8 ? 2 : 4;
  const reach = tile / perThread;
  const threads = reach * (TILE_COLUMNS / COLUMNS_PER_THREAD);
  const grid: Grid = [Math.ceil(paddedRows / TILE_COLUMNS), batch / tile, 1];
  return { name: 'linear_tile', constants: { ...shared, tile, perThread, reach, threads }, grid };
}

/** Threads that share a row of so many units: no more than have a unit to take, at least 8, at most all. */
function lanesFor(units: number): number {
  let lanes = 8;
  while (lanes < VECTOR_THREADS && lanes < units) lanes *= 2;
  return lanes;
}
