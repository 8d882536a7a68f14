import type { Gpu } from './device.ts';
import type { Dispatch } from './program.ts';
import { padded } from './step.ts';

const THREADS = 64;

export interface SiluMul {
  readonly gate: GPUBuffer;
  readonly up: GPUBuffer;
  readonly output: GPUBuffer;
  readonly cols: number;
  readonly batch: number;
}

/** silu(gate) * up, clamped to what the storage type holds. `output` is a buffer of its own. */
export function siluMul(gpu: Gpu, { gate, up, output, cols, batch }: SiluMul): Dispatch[] {
  const kernel = gpu.kernels.get('silu_mul', {
    f16: gpu.storage === 'f16',
    cols,
    stride: padded(cols),
    threads: THREADS,
  });
  return [{ kernel, buffers: [gate, up, output], grid: [Math.ceil(padded(cols) / 4 / THREADS), batch, 1] }];
}
