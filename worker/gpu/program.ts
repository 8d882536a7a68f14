import { InternalError } from '../errors.ts';
import type { Kernel } from './kernels.ts';

export type Grid = readonly [x: number, y: number, z: number];

/** One kernel over its buffers (in binding order) with a fixed grid of workgroups. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly buffers: readonly GPUBuffer[];
  readonly grid: Grid;
}

/** A list of dispatches whose bind groups are built once; a step encodes it again and again. */
export class Program {
  readonly dispatches: readonly Dispatch[];
  readonly #groups: readonly GPUBindGroup[];

  constructor(device: GPUDevice, dispatches: readonly Dispatch[]) {
    const most = device.limits.maxComputeWorkgroupsPerDimension;
    for (const { kernel, grid } of dispatches) {
      if (grid.some((count) => count > most || count < 1)) {
        throw new InternalError(
          `${kernel.name} wants a grid of ${grid.join(' x ')} workgroups; at most ${most} a dimension are allowed.`,
        );
      }
    }
    this.dispatches = dispatches;
    this.#groups = dispatches.map(({ kernel, buffers }) =>
      device.createBindGroup({
        label: kernel.name,
        layout: kernel.layout,
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      }),
    );
  }

  /** Resolves when every pipeline is compiled; `encode` may be called from then on. */
  async ready(): Promise<void> {
    await Promise.all(this.dispatches.map(({ kernel }) => kernel.ready));
  }

  encode(pass: GPUComputePassEncoder, from = 0, to = this.dispatches.length): void {
    for (let i = from; i < to; i++) {
      const dispatch = this.dispatches[i];
      if (dispatch?.kernel.pipeline === undefined)
        throw new InternalError(`${dispatch?.kernel.name} is not compiled yet.`);
      pass.setPipeline(dispatch.kernel.pipeline);
      pass.setBindGroup(0, this.#groups[i] ?? null);
      pass.dispatchWorkgroups(...dispatch.grid);
    }
  }
}
