import type { Gpu } from './device.ts';
import type { Dispatch } from './program.ts';
import { padded } from './step.ts';

const THREADS = 64;

export interface SiluMul {
  /** padded(cols) columns apart. */
  readonly gate: GPUBuffer;
  readonly up: GPUBuffer;
  /** Rows of activations, see row.ts. */
  readonly output: GPUBuffer;
  readonly cols: number;
  readonly batch: number;
}

/** silu(gate) * up, clamped to what the storage type holds. `output` is a buffer of its own. */
export function siluMul(gpu: Gpu, { gate, up, output, cols, batch }: SiluMul): Dispatch[] {
  const kernel = gpu.kernels.get('silu_mul', {
    f16: gpu.storage === 'f16',
    cols,
    threads: THREADS,
  });
  return [{ kernel, buffers: [gate, up, output], grid: [Math.ceil(padded(cols) / 8 / THREADS), batch, 1] }];
}
