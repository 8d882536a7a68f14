// @ts-check
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildBenchPage } from './build-page.mjs';
import { syntheticModel } from './load-model.mjs';
import { serveLoadBench } from './load-server.mjs';
import { growingRenderer } from './renderer-memory.mjs';

const PASSES = 5;
/**
 * Chromium gives freed memory back to the system late and in steps; some stay level for 18 s. Memory is at rest when so
 * many readings so far apart, garbage collected before each, agree.
 */
const SETTLE_MS = 6000;
const SETTLED_READINGS = 5;
const SETTLED_MIB = 1.5;
const SETTLE_ATTEMPTS = 20;
/**
 * Ways to read all shards: `bare` and `bareFour` plainly, `unchecked` into reused buffers, `verified` through the cache,
 * `cached` as a load does, all but the upload.
 */
const READS = {
  bare: 'readPlain(1)',
  cached: 'load(false).then(({ megabytesPerSecond }) => megabytesPerSecond)',
  verified: 'readCached()',
  bareFour: 'readPlain(4)',
  unchecked: 'readPooled(4)',
};

export const about = 'memory while a model of 1 GiB loads, and how much checking costs a load from the cache';
export const needs = /** @type {const} */ (['chromium']);

/**
 * Loads a synthetic model of 1 GiB in Chromium, from the network and then from the cache, to the GPU. MiB are private
 * resident memory of the renderer over idle; idle has the page, the worker, the vocabulary and an open GPU device.
 * @param {import('./run.mjs').BenchOptions} options
 */
export async function run({ log, chromium }) {
  if (process.platform !== 'linux') throw new Error('This bench reads /proc, which only Linux has.');
  if (!chromium) throw new Error('Loading is measured in Chromium.');
  const folder = mkdtempSync(path.join(tmpdir(), 'shoal-load-'));
  const model = syntheticModel();
  try {
    const built = path.join(folder, 'pages');
    await buildBenchPage('load.html', built);
    const server = await serveLoadBench({ folder: built, model });
    try {
      return await measure({ chromium, profile: path.join(folder, 'profile'), server, model, say: log });
    } finally {
      await server.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {{
 *   chromium: { executablePath: string, args: string[] },
 *   profile: string,
 *   server: Awaited<ReturnType<typeof serveLoadBench>>,
 *   model: ReturnType<typeof syntheticModel>,
 *   say: (line: string) => void,
 * }} options
 */
async function measure({ chromium, profile, server, model, say }) {
  const playwright = await import('@playwright/test');
  // a profile on disk, as people have: one in memory keeps records otherwise, and loses some beyond 500 MiB
  const context = await playwright.chromium.launchPersistentContext(profile, {
    executablePath: chromium.executablePath,
    args: [...chromium.args, '--js-flags=--expose-gc', '--disable-features=SpareRendererForSitePerProcess'],
  });
  try {
    const browser = context.browser();
    if (!browser) throw new Error('Chromium has no connection of its own');
    const page = await context.newPage();
    page.on('console', (message) => say(`page: ${message.text()}`));
    page.on('pageerror', (error) => say(`page: ${error.message}`));
    await page.goto(`${server.address}load.html`);
    await page.waitForFunction('bench');
    /** @param {string} call */
    const bench = (call) => page.evaluate(`bench.${call}`);
    const memory = await growingRenderer(browser, () => bench('grow()'));
    await bench('shrink()');
    const rest = async () => {
      /** @type {number[]} */
      const readings = [];
      while (readings.length < SETTLE_ATTEMPTS) {
        await bench('collect()');
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        readings.push(memory.now());
        const last = readings.slice(-SETTLED_READINGS);
        if (last.length === SETTLED_READINGS && Math.max(...last) - Math.min(...last) < SETTLED_MIB) break;
      }
      say(`at rest, MiB: ${readings.map((reading) => reading.toFixed(1)).join(', ')}`);
      return /** @type {number} */ (readings.at(-1));
    };

    const emptyMiB = await rest();
    await bench(`open(${JSON.stringify(`${server.address}model.gguf`)})`);
    await bench('vocabulary()');
    const vocabularyMiB = (await rest()) - emptyMiB;
    say(`vocabulary of ${model.tokens} tokens: ${vocabularyMiB.toFixed(1)} MiB`);

    if (!(await bench('openGpu()'))) throw new Error('Chromium gave the worker no WebGPU adapter');
    const beforeMiB = await rest();
    const download = await memory.during(() => /** @type {Promise<Loaded>} */ (bench('load()')));
    say(`download: peak ${download.peakMiB.toFixed(1)} MiB, idle ${beforeMiB.toFixed(1)}, ${rate(download)}`);
    if (server.sentBytes() > model.size + 1) throw new Error(`${server.sentBytes() - model.size} bytes came twice`);
    // the lower of the two, so that garbage of the start is not taken for idle
    const idleMiB = Math.min(beforeMiB, await rest());
    const cached = await memory.during(() => /** @type {Promise<Loaded>} */ (bench('load()')));
    say(
      `from the cache: peak ${(cached.peakMiB - idleMiB).toFixed(1)} MiB over ${idleMiB.toFixed(1)}, ${rate(cached)}`,
    );
    if (cached.result.fetchedBytes > 0) throw new Error('the second load was not from the cache');

    /** @type {Record<string, number[]>} */
    const rates = {};
    for (let pass = 0; pass < PASSES; pass++) {
      for (const [name, call] of Object.entries(READS)) {
        await bench('collect()');
        const rate = /** @type {number} */ (await bench(call));
        rates[name] = [...(rates[name] ?? []), rate];
      }
      const line = Object.entries(rates).map(([name, all]) => `${name} ${all[pass]?.toFixed(0)}`);
      say(`pass ${pass + 1}, MB/s: ${line.join(', ')}`);
    }
    /** @param {keyof typeof READS} over @param {keyof typeof READS} under */
    const ratio = (over, under) => round(median((rates[over] ?? []).map((rate, i) => rate / (rates[under]?.[i] ?? 0))));
    return {
      peakWorkerMiB: round(Math.max(download.peakMiB, cached.peakMiB) - idleMiB),
      peakDownloadMiB: round(download.peakMiB - idleMiB),
      peakCachedMiB: round(cached.peakMiB - idleMiB),
      idleMiB: round(idleMiB),
      vocabularyMiB: round(vocabularyMiB),
      cachedOverRawRead: ratio('cached', 'bare'),
      verifiedOverRawRead: ratio('verified', 'bare'),
      cachedOverFourBareReads: ratio('cached', 'bareFour'),
      cachedOverUncheckedRead: ratio('cached', 'unchecked'),
      medianMBps: Object.fromEntries(Object.entries(rates).map(([name, all]) => [name, Math.round(median(all))])),
      downloadSeconds: round(download.result.seconds),
      cachedLoadSeconds: round(cached.result.seconds),
      modelMiB: round(model.size / 2 ** 20),
    };
  } finally {
    await context.close();
  }
}

/** @typedef {{ layers: number, fetchedBytes: number, seconds: number }} Loaded */

/** @param {{ result: Loaded }} loaded */
function rate({ result }) {
  return `${result.seconds.toFixed(1)} s, ${(result.fetchedBytes / 1e6).toFixed(0)} MB from the network`;
}

/** @param {number[]} values */
function median(values) {
  return /** @type {number} */ ([...values].sort((a, b) => a - b)[values.length >> 1]);
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 1000) / 1000;
}
