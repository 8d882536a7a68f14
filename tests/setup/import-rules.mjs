// @ts-check
// The table of ARCHITECTURE.md as lint: which folder may import from which.
// That worker/ names no global of a window or of Node is a rule of biome.json.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { repositoryFolder } from './cache.mjs';

/**
 * @typedef {{ file: string, line: number, message: string }} Violation
 * @typedef {{ values: readonly string[], types?: readonly string[], packages?: readonly string[] | 'any' }} Rule
 */

const ERRORS = 'worker/errors.ts';
/** Data and constants of a contract, without behaviour. */
const CONTRACTS = ['worker/weights/types.ts', 'worker/shards/types.ts', 'worker/text/types.ts', 'worker/api.ts'];

/**
 * The longest folder that holds a file decides. `values` may be imported, `types` only by `import type`; `node:` modules
 * count as the package `node`. A file may always import from its own folder.
 * @type {Record<string, Rule>}
 */
const RULES = {
  'shaders/': { values: [], packages: [] },
  'worker/gpu/': { values: ['shaders/', ERRORS], types: CONTRACTS, packages: [] },
  'worker/weights/': { values: [ERRORS], types: CONTRACTS, packages: ['hash-wasm', 'valibot'] },
  'worker/models/': {
    // of the shards only their size
    values: ['worker/gpu/', 'worker/weights/', 'worker/shards/types.ts', 'shaders/', ERRORS],
    // a stage is built to a plan that it is given
    types: [...CONTRACTS, 'worker/planner/'],
    packages: [],
  },
  'worker/text/': { values: [ERRORS], types: CONTRACTS, packages: ['@huggingface/jinja'] },
  'worker/shards/': { values: ['worker/weights/', ERRORS], types: CONTRACTS, packages: ['idb-keyval', 'hash-wasm'] },
  'worker/generation/': {
    values: ['worker/models/', 'worker/text/', 'worker/planner/', 'worker/gpu/', ERRORS],
    types: [...CONTRACTS, 'worker/weights/'],
    packages: [],
  },
  'worker/planner/': {
    // what a stage holds and how many bytes a block takes is data of the spec and of the formats
    values: ['worker/models/spec.ts', 'worker/models/weight-layout.ts', 'worker/weights/formats/', ERRORS],
    types: [...CONTRACTS, 'worker/models/', 'worker/weights/', 'worker/gpu/'],
    packages: [],
  },
  // state machines: no link, no engine, no disk; the host does what they say
  'worker/mesh/room/': { values: ['worker/mesh/types.ts'], packages: [] },
  'worker/mesh/wire/': { values: ['worker/mesh/types.ts'], types: CONTRACTS, packages: ['valibot'] },
  'worker/mesh/link/': {
    values: ['worker/mesh/wire/', 'worker/mesh/identity/fingerprint.ts', 'worker/mesh/types.ts', ERRORS],
    types: [...CONTRACTS, 'worker/mesh/identity/'],
    packages: [],
  },
  'worker/mesh/identity/': { values: [ERRORS], types: ['worker/mesh/types.ts'], packages: ['valibot', 'idb-keyval'] },
  // the assembly of the above behind worker/api.ts
  'worker/': { values: ['worker/', 'shaders/'], packages: ['comlink', 'valibot', 'idb-keyval'] },
  'web/': {
    // main.ts only by address, to start it; package.json for the version
    values: [
      ...['web/room/', 'worker/api.ts', 'worker/client.ts', 'worker/main.ts', 'package.json', ERRORS],
      // how much something is reads the same in both
      'worker/bytes-in-words.ts',
      // what a person pasted is the same to both
      'worker/weights/repository.ts',
    ],
    packages: [
      'lit',
      'comlink',
      'marked',
      'dompurify',
      'idb-keyval',
      'valibot',
      'qr',
      'workbox-window',
      'virtual:pwa-register',
    ],
  },
  // connections; what is said over them is the worker's
  'web/room/': {
    values: [],
    types: ['worker/mesh/link/window-messages.ts', 'worker/mesh/types.ts'],
    packages: ['peerjs', 'valibot'],
  },
  'signaling/': {
    // the pages on certificates look like the app
    values: ['web/style/'],
    packages: [
      'node',
      'vite',
      'peer',
      'ws',
      'express',
      'turn-server',
      'multicast-dns',
      '@peculiar/x509',
      '@peculiar/asn1-x509',
      '@peculiar/asn1-schema',
      'reflect-metadata',
      'qr',
    ],
  },
  'tests/': { values: [''], packages: 'any' },
  'bench/': { values: [''], packages: 'any' },
};

const SOURCE = /\.(ts|mts|mjs|js)$/;
const IMPORT =
  /(?:^|[\n;])\s*(?:import|export)\s+(type\s)?(?:[\w*\s{},$]+?\sfrom\s*)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|new URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/g;

/**
 * Checks one file.
 * @param {string} file relative to the repository, with forward slashes
 * @param {string} text
 * @returns {Violation[]}
 */
export function checkFile(file, text) {
  const folder = ruleFolderOf(file);
  const rule = folder === undefined ? undefined : RULES[folder];
  if (folder === undefined || !rule) return [];
  // a test and what serves tests may use anything
  if (/(\.(test|testing)|(^|\/)test-[^/]*)\.ts$/.test(file)) return [];
  /** @type {Violation[]} */
  const violations = [];
  const bare = withoutComments(text);
  for (const match of bare.matchAll(IMPORT)) {
    const specifier = match[2] ?? match[3] ?? match[4] ?? '';
    const statement = match[0];
    const typesOnly = match[1] !== undefined || onlyNamesTypes(statement);
    const message = judge(file, folder, rule, specifier, typesOnly);
    // the match may begin with the line break before it
    const at = match.index + statement.search(/\S/);
    if (message) violations.push({ file, line: lineOf(bare, at), message });
  }
  return violations;
}

/** Checks every source file of the repository. */
export async function checkRepository() {
  const folders = [...new Set(Object.keys(RULES).map((folder) => folder.split('/')[0] ?? ''))];
  const files = (await Promise.all(folders.map(sourcesUnder))).flat();
  const violations = await Promise.all(
    files.map(async (file) => checkFile(file, await readFile(path.join(repositoryFolder, file), 'utf8'))),
  );
  return { files: files.length, violations: violations.flat() };
}

/**
 * @param {string} file
 * @param {string} folder
 * @param {Rule} rule
 * @param {string} specifier
 * @param {boolean} typesOnly
 * @returns {string | undefined} what is wrong with it
 */
function judge(file, folder, rule, specifier, typesOnly) {
  const clean = specifier.replace(/\?.*$/, '');
  if (clean.startsWith('.')) {
    const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), clean));
    const allowed = [...rule.values, ...(typesOnly ? (rule.types ?? []) : [])];
    const ownFolder = ruleFolderOf(target) === folder && target.startsWith(folder);
    if (ownFolder || allowed.some((prefix) => target.startsWith(prefix))) return undefined;
    const asType = rule.types?.some((prefix) => target.startsWith(prefix)) ? ' (types alone: import type)' : '';
    return `${folder} may not import ${target}${asType}`;
  }
  if (rule.packages === 'any') return undefined;
  const name = clean.startsWith('node:')
    ? 'node'
    : clean
        .split('/')
        .slice(0, clean.startsWith('@') ? 2 : 1)
        .join('/');
  if (rule.packages?.includes(name) || rule.packages?.includes(clean)) return undefined;
  return `${folder} may not import the package ${name}`;
}

/** @param {string} file */
function ruleFolderOf(file) {
  return Object.keys(RULES)
    .filter((folder) => file.startsWith(folder))
    .sort((a, b) => b.length - a.length)[0];
}

/**
 * `import { type A, type B } from` brings no value.
 * @param {string} statement
 */
function onlyNamesTypes(statement) {
  const names = statement.match(/\{([^}]*)\}\s*from/)?.[1];
  if (names === undefined || /(import|export)\s+\w/.test(statement)) return false;
  return names.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type '));
}

/**
 * Blanks out comments, keeping every line where it was.
 * @param {string} text
 */
function withoutComments(text) {
  return text.replace(
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (all, string) => (string ? all : all.replace(/[^\n]/g, ' ')),
  );
}

/**
 * @param {string} text
 * @param {number} index
 */
function lineOf(text, index) {
  return text.slice(0, index).split('\n').length;
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
async function sourcesUnder(folder) {
  const root = path.join(repositoryFolder, folder);
  if (!existsSync(root)) return [];
  const entries = await readdir(root, { recursive: true });
  return entries
    .map((entry) => path.posix.join(folder, entry.split(path.sep).join('/')))
    .filter((file) => SOURCE.test(file) && !file.includes('node_modules'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { files, violations } = await checkRepository();
  for (const { file, line, message } of violations) console.error(`${file}:${line}: ${message}`);
  console.log(`${files} files, ${violations.length} against the import rules`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
