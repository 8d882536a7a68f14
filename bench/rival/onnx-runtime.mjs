// @ts-check
import { createHash } from 'node:crypto';
import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchOnce } from '../../tests/setup/cache.mjs';
import { runOrThrow } from '../../tests/setup/command.mjs';

const manifest = path.join(path.dirname(fileURLToPath(import.meta.url)), 'package.json');

/**
 * Installs ONNX Runtime Web into the cache once.
 * @returns {Promise<{ folder: string, version: string } | { skipped: string }>} where its files for pages are
 */
export async function ensureOnnxRuntime() {
  const text = await readFile(manifest, 'utf8');
  const key = createHash('sha256').update(text).digest('hex').slice(0, 12);
  try {
    const dir = await fetchOnce(`rival-${key}`, async (folder) => {
      await copyFile(manifest, path.join(folder, 'package.json'));
      const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
      await runOrThrow('npm', ['install', ...options], { cwd: folder });
    });
    const folder = path.join(dir, 'node_modules/onnxruntime-web/dist');
    return { folder, version: JSON.parse(text).dependencies['onnxruntime-web'] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { skipped: `ONNX Runtime Web could not be installed: ${reason}` };
  }
}
