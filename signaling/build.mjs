// @ts-check
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exclusively } from './lock.mjs';

const SOURCES = [
  'package.json',
  'web',
  'worker',
  'shaders',
  'public',
  'signaling',
  'vite.config.ts',
  'tsconfig.json',
  'package-lock.json',
];

/**
 * Builds the app and the server into `dist` where the sources changed since it was built.
 * @param {string} root the folder of package.json
 * @returns {Promise<{ app: string, server: string }>} the app's folder and the server's module
 */
export async function ensureBuilt(root) {
  const dist = path.join(root, 'dist');
  const built = { app: path.join(dist, 'app'), server: path.join(dist, 'server/server.js') };
  const stampFile = path.join(dist, 'stamp');
  await exclusively(path.join(root, '.cache/build.lock'), async () => {
    const stamp = await hashOfSources(root);
    const isFresh = existsSync(stampFile) && (await readFile(stampFile, 'utf8')) === stamp;
    if (isFresh && existsSync(built.app) && existsSync(built.server)) return;
    console.log('Building …');
    // built aside, then moved: a server that runs meanwhile never sees half of it
    const aside = path.join(root, '.cache/dist.partial');
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    await asProduction(async () => {
      await buildApp(root, path.join(aside, 'app'));
      await buildServer(root, path.join(aside, 'server'));
    });
    await writeFile(path.join(aside, 'stamp'), stamp);
    await rm(dist, { recursive: true, force: true });
    await rename(aside, dist);
  });
  return built;
}

/**
 * @param {string} root
 * @param {string} outDir
 */
async function buildApp(root, outDir) {
  const { build } = await import('vite');
  await build({ configFile: path.join(root, 'vite.config.ts'), logLevel: 'warn', build: { outDir } });
}

/**
 * @param {string} root
 * @param {string} outDir
 */
export async function buildServer(root, outDir) {
  const { build } = await import('vite');
  const entry = path.join(root, 'signaling/server.ts');
  await build({
    configFile: false,
    root,
    publicDir: false,
    logLevel: 'warn',
    build: { ssr: true, target: 'node20', outDir, emptyOutDir: true, rolldownOptions: { input: entry } },
  });
}

/**
 * Test runners set NODE_ENV to `test`, by which Vite would take the libraries' development versions.
 * @param {() => Promise<void>} build
 */
async function asProduction(build) {
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    await build();
  } finally {
    if (before === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = before;
  }
}

/**
 * SHA-256 over the names and contents of what the build reads.
 * @param {string} root
 */
async function hashOfSources(root) {
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    for (const file of await filesUnder(root, source)) {
      if (file.endsWith('.test.ts')) continue;
      hash
        .update(`${file}\0`)
        .update(await readFile(path.join(root, file)))
        .update('\0');
    }
  }
  return hash.digest('hex');
}

/**
 * @param {string} root
 * @param {string} relative
 * @returns {Promise<string[]>}
 */
async function filesUnder(root, relative) {
  const full = path.join(root, relative);
  if (!existsSync(full)) return [];
  const entries = await readdir(full, { withFileTypes: true }).catch(() => undefined);
  if (!entries) return [relative];
  const nested = await Promise.all(
    entries.map((entry) => {
      const inside = path.posix.join(relative, entry.name);
      return entry.isDirectory() ? filesUnder(root, inside) : [inside];
    }),
  );
  return nested.flat().sort();
}
