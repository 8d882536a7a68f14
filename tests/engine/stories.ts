import { existsSync } from 'node:fs';
import path from 'node:path';
import { ensureSoftwareGpu } from '../setup/software-gpu.mjs';

const models = process.env.SHOAL_TEST_MODELS;

/** The file of stories260K. */
export const stories = models === undefined ? '' : path.join(models, 'stories260K.f32.gguf');

/** Why nothing can be computed with it here, for the name of a test that is skipped; empty where it can. */
export async function storiesReason(): Promise<string> {
  if (!existsSync(stories)) return ' (skipped: SHOAL_TEST_MODELS names no folder with stories260K.f32.gguf)';
  const driver = await ensureSoftwareGpu();
  return 'skipped' in driver ? ` (skipped: ${driver.skipped})` : '';
}
