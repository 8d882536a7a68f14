import type { Gpu } from './device.ts';
import type { Dispatch } from './program.ts';
import { padded, STEP_CONSTANTS, UNIT } from './step.ts';
import type { GpuTensor } from './tensor.ts';

const THREADS = 64;
const COLUMNS_PER_THREAD = 8;

export interface Embed {
  /** One row a token. */
  readonly weight: GpuTensor;
  readonly step: GPUBuffer;
  /** u32: the token last sampled for each slot. */
  readonly sampled: GPUBuffer;
  /** f32 rows, padded(cols) columns apart. */
  readonly hidden: GPUBuffer;
  /** Rows of the step, padding included. */
  readonly batch: number;
  /** Multiplies the weights (1 when not given). */
  readonly scale?: number;
}

/** The embedding of each row's token; zeros for rows of padding and tokens outside the vocabulary. */
export function embed(gpu: Gpu, { weight, step, sampled, hidden, batch, scale = 1 }: Embed): Dispatch[] {
  const planes = weight.format.planes.length;
  const columns = padded(weight.cols);
  return weight.parts.map((part) => {
    const kernel = gpu.kernels.get('embed', {
      ...STEP_CONSTANTS,
      format: weight.format.snippet,
      units: columns / UNIT,
      rows: part.rows,
      rowStart: part.rowStart,
      vocabulary: weight.rows,
      first: part.rowStart === 0,
      scale: `f32(${scale})`,
      stepBinding: planes,
      sampledBinding: planes + 1,
      hiddenBinding: planes + 2,
    });
    const grid = [Math.ceil(columns / (THREADS * COLUMNS_PER_THREAD)), batch, 1] as const;
    return { kernel, buffers: [...part.planes, step, sampled, hidden], grid };
  });
}
