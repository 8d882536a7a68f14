import path from 'node:path';
import { SMOLLM2, Starter } from '../../signaling/starter.ts';
import { cacheFolder } from './cache.mjs';

/**
 * SmolLM2-135M-Instruct as the server's `--starter` gets it, fetched into the cache once.
 * @returns the file, or why it cannot be had here
 */
export async function ensureStarterModel(): Promise<{ readonly file: string } | { readonly skipped: string }> {
  const starter = new Starter(cacheFolder());
  const { state, message } = await starter.fetch();
  if (state !== 'ready') return { skipped: `${SMOLLM2.file} could not be fetched: ${message.split('\n')[0]}` };
  return { file: path.join(starter.folder, SMOLLM2.file) };
}
