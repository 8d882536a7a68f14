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

/** A shader file, the constants that specialize it, and what differs from product to product without compiling anew. */
export interface LinearKernel {
  readonly name: 'linear_vector' | 'linear_tile';
  readonly constants: Constants;
  /** The fields of Shape in shaders/parts/linear.wgsl. */
  readonly shape: readonly number[];
  readonly grid: Grid;
}

/** Rows of the weight that a workgroup of linear_vector takes. */
const VECTOR_ROWS = 8;
/** Rows of the weight that a tile covers, and how many outputs each of its threads makes. */
const TILE_COLUMNS = 64;
const OUTPUTS_PER_THREAD = 16;
/** Rows of y that a tile covers, largest first. With f32 in workgroup memory 64 would pass 16 KiB. */
const TILE_ROWS: Readonly<Record<StorageType, readonly number[]>> = { f16: [64, 32, 16, 8], f32: [32, 16, 8] };

const SHAPE_WORDS = 8;
/** GPUBufferUsage, whose global object is absent in some test environments. */
const COPY_DST = 0x8;
const UNIFORM = 0x40;

/** y = x times the transposed weight, plus bias, plus what y held: one dispatch a part of the weight. */
export function linear(gpu: Gpu, options: Linear): Dispatch[] {
  const { weight, x, y, bias } = options;
  return weight.parts.map((part) => {
    const { name, constants, shape, grid } = linearKernel(gpu.storage, options, part);
    const buffers = [...part.planes, x, y, shapeBuffer(gpu, shape), ...(bias === undefined ? [] : [bias])];
    return { kernel: gpu.kernels.get(name, constants), buffers, grid };
  });
}

/** Which kernel serves one part of a product, and how it is specialized. */
export function linearKernel(
  storage: StorageType,
  { weight, batch, output, accumulate, bias }: Omit<Linear, 'x' | 'y'>,
  part: Pick<TensorPart, 'rowStart' | 'rows'>,
): LinearKernel {
  const planes = weight.format.planes.length;
  const last = part.rowStart + part.rows === weight.rows;
  const paddedRows = last ? padded(weight.rows) - part.rowStart : part.rows;
  const shape = [padded(weight.cols) / UNIT, part.rows, paddedRows, part.rowStart, padded(weight.rows)];
  const shared = {
    f16: storage === 'f16',
    format: weight.format.snippet,
    wide: output === 'f32' || storage === 'f32',
    accumulate,
    bias: bias !== undefined,
    xBinding: planes,
    yBinding: planes + 1,
    shapeBinding: planes + 2,
    biasBinding: planes + 3,
  };
  if (batch === 1 || batch === 2 || batch === 4) {
    const grid: Grid = [Math.ceil(paddedRows / VECTOR_ROWS), 1, 1];
    return { name: 'linear_vector', constants: { ...shared, batch }, shape, grid };
  }
  const tile = TILE_ROWS[storage].find((rows) => batch > 0 && batch % rows === 0);
  if (tile === undefined) {
    throw new InternalError(`A product of ${batch} rows was asked for: 1, 2, 4 or a multiple of 8 are allowed.`);
  }
  const threads = (tile * TILE_COLUMNS) / OUTPUTS_PER_THREAD;
  const grid: Grid = [Math.ceil(paddedRows / TILE_COLUMNS), batch / tile, 1];
  return { name: 'linear_tile', constants: { ...shared, tile, threads }, shape, grid };
}

const shapeBuffers = new WeakMap<GPUDevice, Map<string, GPUBuffer>>();

/** A uniform buffer of 32 bytes, one a shape for as long as the device lives: too little to be counted in the ledger. */
function shapeBuffer({ device }: Gpu, shape: readonly number[]): GPUBuffer {
  let known = shapeBuffers.get(device);
  if (known === undefined) {
    known = new Map();
    shapeBuffers.set(device, known);
  }
  const key = shape.join(' ');
  let buffer = known.get(key);
  if (buffer === undefined) {
    const words = new Uint32Array(SHAPE_WORDS);
    words.set(shape);
    buffer = device.createBuffer({ label: `shape ${key}`, size: words.byteLength, usage: UNIFORM | COPY_DST });
    device.queue.writeBuffer(buffer, 0, words);
    known.set(key, buffer);
  }
  return buffer;
}
