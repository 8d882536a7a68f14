// @ts-check
// Runs TypeScript with Vite's imports (import.meta.glob, ?raw) in Node:
//   node tests/setup/run-ts.mjs FILE [arguments]     calls the file's `main(arguments)`
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDependencies } from '../../signaling/install.mjs';
import { repositoryFolder } from './cache.mjs';

/**
 * Loads a module; `close` ends Vite, after which nothing more can be imported lazily.
 * @param {string} file relative to the repository, or absolute
 * @returns {Promise<{ module: Record<string, any>, close: () => Promise<void> }>}
 */
export async function loadTs(file) {
  await ensureDependencies(repositoryFolder, { dev: true });
  const { createServer } = await import('vite');
  const server = await createServer({
    configFile: false,
    root: repositoryFolder,
    appType: 'custom',
    logLevel: 'error',
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true, include: [] },
    // Dawn and the reference engines are native
    ssr: { external: ['webgpu', 'node-llama-cpp'] },
  });
  try {
    const module = await server.ssrLoadModule(path.resolve(repositoryFolder, file));
    return { module, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/**
 * Calls a module's `main`.
 * @param {string} file
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit code: what `main` gave, or 0
 */
export async function runTs(file, args) {
  const { module, close } = await loadTs(file);
  try {
    if (typeof module.main !== 'function') throw new Error(`${file} exports no function main(arguments)`);
    return Number((await module.main(args)) ?? 0);
  } finally {
    await close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (!file) throw new Error('node tests/setup/run-ts.mjs FILE [arguments]');
  let code = 1;
  try {
    code = await runTs(file, args);
  } catch (error) {
    console.error(error);
  }
  // Dawn's threads would keep the process alive; what was printed must be out first
  process.stdout.write('', () => process.exit(code));
}
