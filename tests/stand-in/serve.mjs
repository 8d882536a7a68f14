// @ts-check
/** Builds the page with the stand-in worker and serves it on this machine, for tests and for `bench window`. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, preview } from 'vite';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** @returns {Promise<{ readonly origin: string, readonly close: () => Promise<void> }>} */
export async function serveStandIn() {
  const outDir = await mkdtemp(path.join(tmpdir(), 'shoal-stand-in-'));
  /** @satisfies {import('vite').InlineConfig} */
  const shared = {
    configFile: false,
    logLevel: /** @type {const} */ ('warn'),
    root: path.join(repository, 'tests/stand-in'),
    publicDir: path.join(repository, 'public'),
    cacheDir: path.join(outDir, '.vite'),
  };
  await build({ ...shared, worker: { format: 'es' }, build: { outDir: path.join(outDir, 'page'), emptyOutDir: true } });
  const server = await preview({
    ...shared,
    build: { outDir: path.join(outDir, 'page') },
    preview: { host: '127.0.0.1', port: 0, strictPort: false },
  });
  const [address] = server.resolvedUrls?.local ?? [];
  if (!address) throw new Error('The stand-in page could not be served.');
  return {
    origin: address.replace(/\/$/, ''),
    close: async () => {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}
