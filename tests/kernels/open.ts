import { type Gpu, openGpu, type StorageType } from '../../worker/gpu/device.ts';
import { openNodeGpu } from '../setup/node-gpu.ts';
import { type Environment, expectNothing } from './harness.ts';
import { strictAdapter } from './strict-device.ts';

const BUDGET_BYTES = 2 ** 31;

/** A Gpu of Node for an environment and a storage type. */
export async function openEnvironment(environment: Exclude<Environment, 'page'>, storage: StorageType): Promise<Gpu> {
  const instance = await openNodeGpu({ backend: environment === 'null' ? 'null' : 'vulkan' });
  const adapter = await instance.requestAdapter();
  if (adapter === null) throw new Error(`no adapter for ${environment}`);
  const strict = environment === 'safari' || environment === 'android';
  const used = strict ? strictAdapter(adapter, environment) : adapter;
  const gpu = await openGpu(used, { storage, budgetBytes: BUDGET_BYTES });
  if (environment === 'null') expectNothing(gpu);
  return gpu;
}
