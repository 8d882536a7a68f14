import type { KernelAbout } from './about.ts';
import { type Constants, specialize } from './specialize.ts';

/** A compute pipeline that is compiling or ready, with the layout of its one bind group. */
export interface Kernel {
  readonly name: string;
  readonly source: string;
  readonly about: KernelAbout;
  readonly layout: GPUBindGroupLayout;
  readonly ready: Promise<GPUComputePipeline>;
  /** Set once ready. */
  pipeline: GPUComputePipeline | undefined;
}

/** Compiles each (file, constants) once, in the background. The entry point is always `main`, the group 0. */
export class KernelCache {
  readonly #device: GPUDevice;
  readonly #kernels = new Map<string, Kernel>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get all(): readonly Kernel[] {
    return [...this.#kernels.values()];
  }

  get(name: string, constants: Constants, about: KernelAbout = { role: 'other' }): Kernel {
    const source = specialize(name, constants);
    const known = this.#kernels.get(source);
    if (known !== undefined) return known;
    const layout = this.#device.createBindGroupLayout({ label: name, entries: bindingsOf(source) });
    const ready = this.#device.createComputePipelineAsync({
      label: name,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: this.#device.createShaderModule({ label: name, code: source }), entryPoint: 'main' },
    });
    const kernel: Kernel = { name, source, about, layout, ready, pipeline: undefined };
    ready.then(
      (pipeline) => {
        kernel.pipeline = pipeline;
      },
      () => {}, // whoever awaits `ready` gets the error
    );
    this.#kernels.set(source, kernel);
    return kernel;
  }
}

/** Layout entries of every `@group(0) @binding(n) var<…>` in a module, used by its entry point or not. */
export function bindingsOf(source: string): GPUBindGroupLayoutEntry[] {
  const declaration = /@group\(0\)\s*@binding\((\d+)\)\s*var<\s*(storage|uniform)\s*(?:,\s*(read_write|read)\s*)?>/g;
  return [...source.matchAll(declaration)].map(([, binding, space, access]) => ({
    binding: Number(binding),
    visibility: 4, // GPUShaderStage.COMPUTE
    buffer: { type: space === 'uniform' ? 'uniform' : access === 'read_write' ? 'storage' : 'read-only-storage' },
  }));
}
