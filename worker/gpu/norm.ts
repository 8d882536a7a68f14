import type { Gpu } from './device.ts';
import type { Dispatch } from './program.ts';
import { STEP_CONSTANTS } from './step.ts';

/** Columns from which on a row is shared by more threads. */
const WIDE_COLUMNS = 512;

export interface RmsNorm {
  /** f32 rows, a multiple of 32 columns apart; zeros beyond `cols`. */
  readonly input: GPUBuffer;
  /** f32, `cols` of them. */
  readonly weight: GPUBuffer;
  /** Rows of activations, see row.ts. */
  readonly output: GPUBuffer;
  /** `entered`: not yet divided by the root mean square, which what reads the row does. */
  readonly form: 'normed' | 'entered';
  readonly cols: number;
  readonly eps: number;
  /** Rows of the output. */
  readonly batch: number;
  /** The step: output row i is then input row `logit_row[i]`, zero beyond `logit_rows`. */
  readonly gather?: GPUBuffer;
}

/** Each row divided by its root mean square, times the weight (https://arxiv.org/abs/1910.07467). */
export function rmsNorm(gpu: Gpu, norm: RmsNorm): Dispatch[] {
  const { input, weight, output, form, cols, eps, batch, gather } = norm;
  const kernel = gpu.kernels.get('rms_norm', {
    ...STEP_CONSTANTS,
    f16: gpu.storage === 'f16',
    form,
    cols,
    eps,
    threads: cols < WIDE_COLUMNS ? 64 : 256,
    gather: gather !== undefined,
  });
  const buffers = [input, weight, output, ...(gather === undefined ? [] : [gather])];
  return [{ kernel, buffers, grid: [batch, 1, 1] }];
}
