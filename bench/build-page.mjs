// @ts-check
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const pages = path.join(path.dirname(fileURLToPath(import.meta.url)), 'pages');

/**
 * Builds a page of a benchmark, with its worker.
 * @param {string} page its file in `pages`
 * @param {string} folder
 */
export async function buildBenchPage(page, folder) {
  const { build } = await import('vite');
  await build({
    configFile: false,
    logLevel: 'warn',
    root: pages,
    worker: { format: 'es' },
    build: {
      outDir: folder,
      target: 'chrome134',
      rolldownOptions: { input: path.join(pages, page) },
      emptyOutDir: true,
    },
  });
}
