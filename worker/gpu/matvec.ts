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
import type { Constants } from './specialize.ts';
import { padded, UNIT } from './step.ts';
import type { TensorFormat } from './tensor.ts';

/** Rows of activations that shaders/matvec.wgsl takes at once. */
export type VectorBatch = 1 | 2 | 4;

export interface VectorProduct {
  readonly storage: StorageType;
  readonly format: TensorFormat;
  readonly cols: number;
  readonly batch: VectorBatch;
  /** Rows of the weight that a workgroup takes, a multiple of 8. */
  readonly outputs: number;
}

/** Rows of the weight that a workgroup takes where nothing else is wanted. */
export const VECTOR_OUTPUTS = 8;
/** What every device has. */
const MOST_THREADS = 256;
/** Share of lanes without work that makes fewer lanes better. */
const IDLE_SHARE = 0.1;
/**
 * Rows of the weight that a thread takes at once: as many as its registers bear. With one row of activations at most 104
 * half registers on Apple, so that 1024 threads run on a core.
 */
const MOST_ROWS = 4;

/** The constants of the loop in shaders/matvec.wgsl; an epilogue's come beside them. */
export function vectorConstants({ storage, format, cols, batch, outputs }: VectorProduct): Constants {
  const rows = batch === 4 && format.name !== 'q4_k' ? 2 : MOST_ROWS; // scales of Q4_K come by four rows
  const steps = (padded(cols) / UNIT) * (format.blockWeights === 1 ? 4 : 1);
  const lanes = Math.min(lanesFor(steps), mostLanes(format, outputs));
  const groups = outputs / rows;
  let sweeps = 1;
  while (groups % sweeps !== 0 || (groups / sweeps) * lanes > MOST_THREADS) sweeps++;
  return {
    f16: storage === 'f16',
    formatName: format.name,
    batch,
    outputs,
    lanes,
    rows,
    sweeps,
    threads: (groups / sweeps) * lanes,
  };
}

/**
 * Threads along k. They must not depend on the batch, so that a row's sums do not; Q4_K wants a multiple of 16, whose steps
 * of a lane then have the same place in their superblocks. Fewer only where in the last of few passes many would have no work.
 */
function lanesFor(steps: number): number {
  const idle = (lanes: number) => 1 - steps / (Math.ceil(steps / lanes) * lanes);
  return idle(32) - idle(16) > IDLE_SHARE ? 16 : 32;
}

/** Where a workgroup takes many rows of the weight: fewer lanes rather than several sweeps, whose loop takes registers. */
function mostLanes({ name }: TensorFormat, outputs: number): number {
  const fits = (lanes: number) => (outputs / MOST_ROWS) * lanes <= MOST_THREADS;
  return [32, 16].find(fits) ?? (name === 'q4_k' ? 16 : 8);
}

/** The product of one part with 1, 2 or 4 rows: each weight is unpacked once for all of them. */
export function matvecKernel(storage: StorageType, form: LinearForm, part: PartRows, batch: VectorBatch): LinearKernel {
  const { format, cols } = form.weight;
  const outputs = VECTOR_OUTPUTS;
  const constants = {
    ...linearConstants(storage, form),
    ...vectorConstants({ storage, format, cols, batch, outputs }),
    epilogue: 'epilogues/plain',
  };
  const grid: Grid = [Math.ceil(outputColumns(form.weight, part) / outputs), 1, 1];
  return { name: 'matvec', constants, about: aboutProduct(format, batch), shape: linearShape(form, part), grid };
}
