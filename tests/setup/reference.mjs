// @ts-check
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { fetchOnce, repositoryFolder } from './cache.mjs';
import { runOrThrow, runQuietly } from './command.mjs';

const IMPORT_TIMEOUT_MS = 60_000;

/** node-llama-cpp's prebuilt llama.cpp, by Node's names of the platform. */
const PLATFORM_PACKAGES = /** @type {Record<string, string>} */ ({
  'linux-x64': '@node-llama-cpp/linux-x64',
  'linux-arm64': '@node-llama-cpp/linux-arm64',
  'darwin-arm64': '@node-llama-cpp/mac-arm64-metal',
  'darwin-x64': '@node-llama-cpp/mac-x64',
  'win32-x64': '@node-llama-cpp/win-x64',
  'win32-arm64': '@node-llama-cpp/win-arm64',
});

/** @type {Promise<{ dir: string } | { skipped: string }> | undefined} */
let found;

/**
 * Installs the reference engines into the cache once; `dir` holds their node_modules.
 * @returns {Promise<{ dir: string } | { skipped: string }>}
 */
export function ensureReference() {
  found ??= find();
  return found;
}

/**
 * Imports a package of the reference engines.
 * @param {string} dir as ensureReference gave it
 * @param {string} name such as `node-llama-cpp`
 */
export async function importReference(dir, name) {
  const folder = path.join(dir, 'node_modules', name);
  const { exports, main } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const entry = exports?.['.']?.import ?? exports?.['.']?.node?.import ?? main;
  return import(pathToFileURL(path.join(folder, typeof entry === 'string' ? entry : entry.default)).href);
}

async function find() {
  const platform = `${process.platform}-${process.arch}`;
  const engine = PLATFORM_PACKAGES[platform];
  if (!engine) return { skipped: `no prebuilt reference engine for ${platform}` };
  const text = await readFile(path.join(repositoryFolder, 'tests/reference/package.json'), 'utf8');
  const version = JSON.parse(text).dependencies['node-llama-cpp'];
  const key = createHash('sha256').update(text).digest('hex').slice(0, 12);
  try {
    const dir = await fetchOnce(`reference-${key}`, (folder) => install(folder, text, engine, version));
    return { dir };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { skipped: `the reference engines could not be installed: ${reason}` };
  }
}

/**
 * @param {string} folder
 * @param {string} manifest
 * @param {string} engine
 * @param {string} version
 */
async function install(folder, manifest, engine, version) {
  const wanted = JSON.parse(manifest);
  wanted.dependencies[engine] = version;
  await writeFile(path.join(folder, 'package.json'), JSON.stringify(wanted, null, 2));
  // scripts would download and compile; the optional packages are the other platforms and GPUs, 640 MB
  const options = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  await runOrThrow('npm', ['install', ...options], { cwd: folder });
  const check = await runQuietly(
    process.execPath,
    ['--input-type=module', '-e', "await import('node-llama-cpp'); process.exit(0)"],
    {
      cwd: folder,
      timeoutMs: IMPORT_TIMEOUT_MS,
    },
  );
  if (check.code !== 0) throw new Error(`node-llama-cpp does not load: ${check.errors.trim().split('\n')[0]}`);
}
