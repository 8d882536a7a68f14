/** The kernel cases in a page: page.test.ts opens it in Chromium and calls `runKernelCase` for each. */
import { type Gpu, openGpu } from '../../worker/gpu/device.ts';
import { casesFor } from './cases.ts';
import { runCase } from './harness.ts';

declare global {
  /** Runs the case of that name; resolves with what went wrong, or nothing. */
  var runKernelCase: ((name: string) => Promise<string | undefined>) | undefined;
}

const BUDGET_BYTES = 2 ** 30;

let open: Gpu | undefined;

async function gpu(): Promise<Gpu> {
  if (open !== undefined && open.failed === undefined) return open;
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('this browser offers no GPU adapter');
  open = await openGpu(adapter, { storage: 'f32', budgetBytes: BUDGET_BYTES });
  return open;
}

globalThis.runKernelCase = async (name) => {
  const kernelCase = casesFor('page').find((candidate) => candidate.name === name);
  if (kernelCase === undefined) return `the page has no case ${name}`;
  try {
    await runCase(kernelCase, await gpu());
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};
