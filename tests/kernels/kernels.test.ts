import { afterAll, describe, expect, it } from 'vitest';
import type { Gpu, StorageType } from '../../worker/gpu/device.ts';
import { ensureSoftwareGpu } from '../setup/software-gpu.mjs';
import { casesFor } from './cases.ts';
import { type Environment, runCase } from './harness.ts';
import { openEnvironment } from './open.ts';

const driver = await ensureSoftwareGpu();
const lacking = 'skipped' in driver ? driver.skipped : '';

const runs: readonly (readonly [Exclude<Environment, 'page'>, StorageType])[] = [
  ['driver', 'f32'],
  ['driver', 'f16'],
  ['safari', 'f16'],
  ['android', 'f32'],
  ['null', 'f32'],
  ['null', 'f16'],
];

for (const [environment, storage] of runs) {
  const skip = environment === 'null' ? '' : lacking;
  describe.skipIf(skip)(`kernels on ${environment} in ${storage} ${skip}`, () => {
    let gpu: Gpu | undefined;
    afterAll(() => gpu?.close());
    it.each(casesFor(environment))('$name', async (kernelCase) => {
      if (gpu === undefined || gpu.failed !== undefined) gpu = await openEnvironment(environment, storage);
      await expect(runCase(kernelCase, gpu)).resolves.toBeUndefined();
    });
  });
}
