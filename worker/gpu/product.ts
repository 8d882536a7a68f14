import type { KernelAbout } from './about.ts';
import type { Gpu, StorageType } from './device.ts';
import type { Grid } from './program.ts';
import type { Constants } from './specialize.ts';
import { padded, UNIT } from './step.ts';
import type { GpuTensor, TensorPart } from './tensor.ts';

export interface Linear {
  readonly weight: GpuTensor;
  /** `batch` rows of activations, see row.ts. */
  readonly x: GPUBuffer;
  /** `batch` rows; columns beyond `rows`, up to whole units, become zero. */
  readonly y: GPUBuffer;
  /** Elements from one row of y to the next; padded(rows) when not given. */
  readonly yStride?: number;
  /** Rows of x and y, any number; 1, 2 and 4 are computed as vectors. */
  readonly batch: number;
  /** What y holds: the storage type, or f32. */
  readonly output: 'storage' | 'f32';
  /** Adds to what y holds. */
  readonly accumulate: boolean;
  /** f32, `rows` of them. */
  readonly bias?: GPUBuffer;
}

/** A product as far as its kernel depends on it. */
export type LinearForm = Omit<Linear, 'x' | 'y'>;
/** The rows of a weight that one dispatch multiplies. */
export type PartRows = Pick<TensorPart, 'rowStart' | 'rows' | 'planeRow'>;

/** A shader file, the constants that specialize it, and what differs from product to product without compiling anew. */
export interface LinearKernel {
  readonly name: 'matvec' | 'linear_tile';
  readonly constants: Constants;
  readonly about: KernelAbout;
  /** The fields of Shape in shaders/parts/shape.wgsl. */
  readonly shape: readonly number[];
  readonly grid: Grid;
}

const SHAPE_WORDS = 8;
/** GPUBufferUsage, whose global object is absent in some test environments. */
const COPY_DST = 0x8;
const UNIFORM = 0x40;

/** Columns of y that a part writes: its rows, and the last part the padding. */
export function outputColumns(weight: GpuTensor, part: PartRows): number {
  return part.rowStart + part.rows === weight.rows ? padded(weight.rows) - part.rowStart : part.rows;
}

/** The constants that parts/linear asks for: bindings are the weight's planes, x, y, the shape and the bias. */
export function linearConstants(storage: StorageType, { weight, output, accumulate, bias }: LinearForm): Constants {
  const planes = weight.format.planes.length;
  return {
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
}

/** The fields of Shape in shaders/parts/shape.wgsl. */
export function linearShape(form: LinearForm, part: PartRows): readonly number[] {
  const { weight, batch, yStride = padded(weight.rows) } = form;
  const units = padded(weight.cols) / UNIT;
  const bias = (weight.biasStart ?? 0) + part.rowStart;
  const columns = outputColumns(weight, part);
  return [units, part.rows, columns, part.rowStart, yStride, part.planeRow, batch, bias];
}

const shapeBuffers = new WeakMap<GPUDevice, Map<string, GPUBuffer>>();

/** A uniform buffer of 32 bytes, one a shape for as long as the device lives: too little to be counted in the ledger. */
export function shapeBuffer({ device }: Gpu, shape: readonly number[]): GPUBuffer {
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
