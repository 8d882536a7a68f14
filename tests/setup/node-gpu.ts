import { createRequire } from 'node:module';
import { ensureSoftwareGpu, loadDriver } from './software-gpu.mjs';

type Backend = 'vulkan' | 'null';

const held = globalThis as typeof globalThis & { shoalNodeGpus?: Partial<Record<Backend, GPU>> };

/**
 * WebGPU in this Node process: `vulkan` computes (on the software driver under Linux, on the machine's GPU elsewhere),
 * `null` computes nothing and validates everything.
 * @throws Error with the reason where no software driver can be had
 */
export async function openNodeGpu(options: { readonly backend: Backend }): Promise<GPU> {
  // an object that create() returned and that is collected later aborts the process: keep each for good
  held.shoalNodeGpus ??= {};
  const open = held.shoalNodeGpus[options.backend];
  if (open) return open;
  if (options.backend === 'vulkan') {
    const driver = await ensureSoftwareGpu();
    if ('skipped' in driver) throw new Error(driver.skipped);
    loadDriver(driver);
  }
  const { create, globals } = createRequire(import.meta.url)('webgpu') as typeof import('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create(dawnFlags(options.backend));
  held.shoalNodeGpus[options.backend] = gpu;
  return gpu;
}

function dawnFlags(backend: Backend): string[] {
  if (backend === 'null') return ['backend=null'];
  if (process.platform === 'darwin') return ['backend=metal'];
  if (process.platform === 'win32') return ['backend=d3d12'];
  return ['backend=vulkan'];
}
