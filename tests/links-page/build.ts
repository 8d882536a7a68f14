import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const source = path.dirname(fileURLToPath(import.meta.url));

/** Builds the page into a folder of its own; `remove` takes that away. */
export async function buildLinksPage(): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'shoal-links-'));
  await build({
    configFile: false,
    logLevel: 'warn',
    root: source,
    worker: { format: 'es' },
    build: { outDir: folder, target: 'chrome134', emptyOutDir: true, modulePreload: { polyfill: false } },
  });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
