import { existsSync } from 'node:fs';
import path from 'node:path';
import { ensureStarterModel } from './starter-model.ts';

export const SMOLLM2 = 'SmolLM2-135M-Instruct.Q4_1.gguf';

/**
 * SmolLM2-135M-Instruct: of the folder that SHOAL_TEST_MODELS names, else as the server's `--starter` gets it, once.
 * @returns the file, or why it cannot be had here
 */
export async function ensureSmollm2(): Promise<{ readonly file: string } | { readonly skipped: string }> {
  const folder = process.env.SHOAL_TEST_MODELS;
  const file = folder === undefined ? undefined : path.join(folder, SMOLLM2);
  if (file !== undefined && existsSync(file)) return { file };
  return ensureStarterModel();
}
