// @ts-check
// `npm test [-- STEP …]`: every check, in order. The last line is `N passed, N failed, N skipped`; before it stands each
// skipped check with its reason. What is lacking is fetched first; see tests/setup.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { ensureDependencies, nodeTooOld } from '../signaling/install.mjs';
import { cacheFolder, repositoryFolder } from './setup/cache.mjs';
import { ensureChromium } from './setup/chromium.mjs';
import { runLoudly } from './setup/command.mjs';
import { countPlaywright, countVitest } from './setup/counts.mjs';
import { ensureReference } from './setup/reference.mjs';
import { ensureSoftwareGpu } from './setup/software-gpu.mjs';

/** @typedef {import('./setup/counts.mjs').Counts} Counts */

/** @type {Record<string, () => Promise<Counts>>} */
const STEPS = {
  lint: () => command('format and lint', 'node_modules/@biomejs/biome/bin/biome', ['check', '--error-on-warnings']),
  types: () => command('types', 'node_modules/typescript/bin/tsc', ['--noEmit', '-p', '.']),
  imports: () => command('import rules', 'tests/setup/import-rules.mjs', []),
  unit: () => vitest('unit'),
  kernels: () => vitest('kernels'),
  conformance: () => vitest('conformance'),
  e2e: browser,
};

process.exitCode = await main(process.argv.slice(2));

/** @param {string[]} names */
async function main(names) {
  const unknown = names.find((name) => !(name in STEPS));
  const problem =
    nodeTooOld(process.versions.node) ??
    (unknown && `There is no step ${unknown}; there are ${Object.keys(STEPS).join(', ')}.`);
  if (problem) {
    console.error(problem);
    return 1;
  }
  await ensureDependencies(repositoryFolder, { dev: true });
  await fetchTools(names);
  /** @type {Counts} */
  const total = { passed: 0, failed: 0, skipped: [] };
  for (const [name, step] of Object.entries(STEPS)) {
    if (names.length > 0 && !names.includes(name)) continue;
    console.log(`\n== ${name}`);
    const started = Date.now();
    const { passed, failed, skipped } = await step();
    const seconds = ((Date.now() - started) / 1000).toFixed(0);
    console.log(`== ${name}: ${passed} passed, ${failed} failed, ${skipped.length} skipped, ${seconds} s`);
    total.passed += passed;
    total.failed += failed;
    total.skipped.push(...skipped);
  }
  console.log('');
  for (const reason of total.skipped) console.log(`skipped: ${reason}`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`);
  return total.failed > 0 ? 1 : 0;
}

/**
 * Fetched once and before the steps, so that no test waits for a download; the tests find them in the cache.
 * @param {string[]} names
 */
async function fetchTools(names) {
  const asked = (/** @type {string[]} */ ...steps) => names.length === 0 || steps.some((step) => names.includes(step));
  /** @type {[string, Promise<object>][]} */
  const tools = [];
  if (asked('kernels', 'conformance', 'unit')) tools.push(['software GPU', ensureSoftwareGpu()]);
  if (asked('conformance', 'unit')) tools.push(['reference engines', ensureReference()]);
  if (asked('e2e', 'kernels')) tools.push(['Chromium', ensureChromium()]);
  for (const [name, tool] of tools) {
    const found = await tool;
    console.log(`${name}: ${'skipped' in found ? found.skipped : 'here'}`);
  }
}

/**
 * A tool that passes or fails as a whole.
 * @param {string} name
 * @param {string} script
 * @param {string[]} args
 * @returns {Promise<Counts>}
 */
async function command(name, script, args) {
  const code = await runLoudly(process.execPath, [script, ...args], { cwd: repositoryFolder });
  if (code !== 0) console.error(`${name}: failed`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [] };
}

/**
 * @param {string} project
 * @returns {Promise<Counts>}
 */
async function vitest(project) {
  const report = await newReport(`vitest-${project}`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', project, ...reporters];
  const code = await runLoudly(process.execPath, args, { cwd: repositoryFolder });
  return countVitest(project, await readReport(report), code);
}

/** @returns {Promise<Counts>} */
async function browser() {
  const chromium = await ensureChromium();
  if ('skipped' in chromium) return { passed: 0, failed: 0, skipped: [`e2e: ${chromium.skipped}`] };
  const report = await newReport('playwright');
  const env = { ...process.env, SHOAL_CHROMIUM: chromium.executablePath, PLAYWRIGHT_JSON_OUTPUT_FILE: report };
  const args = ['node_modules/@playwright/test/cli.js', 'test', '--reporter=list,json'];
  const code = await runLoudly(process.execPath, args, { cwd: repositoryFolder, env });
  return countPlaywright('e2e', await readReport(report), code);
}

/** @param {string} name */
async function newReport(name) {
  const folder = path.join(cacheFolder(), 'reports');
  await mkdir(folder, { recursive: true });
  // two runs at once each have their own
  return path.join(folder, `${name}-${process.pid}.json`);
}

/** @param {string} file */
async function readReport(file) {
  if (!existsSync(file)) return undefined;
  const report = JSON.parse(await readFile(file, 'utf8'));
  await rm(file);
  return report;
}
