// @ts-check
// npm run bench -- NAME [--json] [options of the benchmark]
// Every file of this folder that exports `run` is one; `needs` says what is fetched for it before.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureDependencies } from '../signaling/install.mjs';

/**
 * What a benchmark exports.
 * @typedef {{
 *   about: string,
 *   needs?: readonly ('chromium' | 'software-gpu' | 'reference')[],
 *   run: (options: BenchOptions) => Promise<Record<string, unknown>>,
 * }} Bench
 *
 * What `run` is given: its command line, and what `needs` asked for.
 * @typedef {{
 *   args: readonly string[],
 *   json: boolean,
 *   log: (line: string) => void,
 *   chromium?: { executablePath: string, args: string[] },
 *   softwareGpu?: { env: Record<string, string>, libraries: string[] },
 *   reference?: { dir: string },
 * }} BenchOptions
 */

const folder = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(folder, '..');

let code = 1;
try {
  code = await main(process.argv.slice(2));
} catch (error) {
  console.error(error);
}
// Dawn's threads would keep the process alive; what was printed must be out first
process.stdout.write('', () => process.exit(code));

/** @param {string[]} args */
async function main(args) {
  const names = await benchNames();
  const [name, ...rest] = args;
  if (!name || !names.has(name)) {
    if (name) console.error(`There is no benchmark ${name}.`);
    console.log(`npm run bench -- NAME [--json]\n\nNAME is one of: ${[...names.keys()].join(', ') || 'none yet'}`);
    return name ? 1 : 0;
  }
  await ensureDependencies(root, { dev: true });
  const { bench, close } = await load(path.join(folder, names.get(name) ?? ''));
  try {
    const json = rest.includes('--json');
    // with --json the last line of stdout is the result; all else goes to stderr
    const log = (/** @type {string} */ line) => console.error(line);
    const given = await fetchNeeds(bench.needs ?? []);
    const result = await bench.run({ args: rest.filter((arg) => arg !== '--json'), json, log, ...given });
    if (json) console.log(JSON.stringify(result));
    else for (const [key, value] of Object.entries(result)) console.log(`${key}: ${JSON.stringify(value)}`);
    return 0;
  } finally {
    await close();
  }
}

async function benchNames() {
  const sources = (await readdir(folder)).filter((file) => /^[a-z0-9-]+\.(ts|mjs)$/.test(file)).sort();
  const names = new Map();
  for (const file of sources) {
    const text = await readFile(path.join(folder, file), 'utf8');
    if (/^export (async )?(function|const) run\b/m.test(text)) names.set(file.replace(/\.\w+$/, ''), file);
  }
  return names;
}

/**
 * @param {string} file
 * @returns {Promise<{ bench: Bench, close: () => Promise<void> }>}
 */
async function load(file) {
  if (file.endsWith('.mjs')) return { bench: await import(pathToFileURL(file).href), close: async () => {} };
  const { loadTs } = await import('../tests/setup/run-ts.mjs');
  const { module, close } = await loadTs(file);
  return { bench: /** @type {Bench} */ (/** @type {unknown} */ (module)), close };
}

/** @param {readonly string[]} needs */
async function fetchNeeds(needs) {
  /** @type {Pick<BenchOptions, 'chromium' | 'softwareGpu' | 'reference'>} */
  const given = {};
  if (needs.includes('chromium')) {
    const { ensureChromium } = await import('../tests/setup/chromium.mjs');
    given.chromium = present(await ensureChromium());
  }
  if (needs.includes('software-gpu')) {
    const { ensureSoftwareGpu } = await import('../tests/setup/software-gpu.mjs');
    given.softwareGpu = present(await ensureSoftwareGpu());
  }
  if (needs.includes('reference')) {
    const { ensureReference } = await import('../tests/setup/reference.mjs');
    given.reference = present(await ensureReference());
  }
  return given;
}

/**
 * @template {object} T
 * @param {T | { skipped: string }} found
 * @returns {T}
 */
function present(found) {
  if ('skipped' in found) throw new Error(`this benchmark cannot run here: ${found.skipped}`);
  return /** @type {T} */ (found);
}
