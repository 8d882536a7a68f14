import path from 'node:path';
import { fetchOnce } from '../setup/cache.mjs';
import { runOrThrow } from '../setup/command.mjs';
import { ensureReference } from '../setup/reference.mjs';

/**
 * llama.cpp's `models/` folder (vocabularies with their test vectors, chat templates), unpacked once from the git
 * bundle that node-llama-cpp carries.
 */
export async function ensureLlamaModels(): Promise<{ dir: string } | { skipped: string }> {
  const reference = await ensureReference();
  if ('skipped' in reference) return reference;
  const bundle = path.join(reference.dir, 'node_modules/node-llama-cpp/llama/gitRelease.bundle');
  try {
    const dir = await fetchOnce(`llama-models-${path.basename(reference.dir)}`, async (folder) => {
      await runOrThrow('git', ['clone', '--quiet', '--no-checkout', bundle, folder]);
      await runOrThrow('git', ['checkout', '--quiet', 'HEAD', '--', 'models'], { cwd: folder });
    });
    return { dir: path.join(dir, 'models') };
  } catch (error) {
    return { skipped: `llama.cpp's models could not be unpacked: ${error instanceof Error ? error.message : error}` };
  }
}
