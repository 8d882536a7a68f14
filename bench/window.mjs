// @ts-check
// How long the window is ever kept from the person while a model loads and answers: CPU time of the longest task of the
// renderer's main thread, from a Chromium trace. A stand-in worker loads and answers, so that only the window is measured;
// CPU time and not wall time, since on a busy machine an empty page shows long tasks too.
import { chromium as playwright } from '@playwright/test';
import { serveStandIn } from '../tests/stand-in/serve.mjs';

export const about = 'CPU time of the window’s longest task while a model loads and answers at 100 tokens a second';
export const needs = /** @type {const} */ (['chromium']);

const TOKENS_PER_SECOND = 100;
/** The stand-in's long answer (prose, list, table, code, about 430 tokens), this many times over. */
const REPEATS = 6;
const DOWNLOAD_BYTES_PER_SECOND = 250e6;
const ANSWER_TIMEOUT_MS = 120_000;
const TRACE_CATEGORIES = ['toplevel', 'devtools.timeline', 'v8.execute', '__metadata'];
const TASK = 'ThreadControllerImpl::RunTask';

/**
 * @typedef {{ name: string, ph: string, pid: number, tid: number, ts: number, dur?: number, tdur?: number,
 *   args?: { name?: string, data?: { frames?: { processId?: number, url?: string }[] } } }} TraceEvent
 */

/** @param {import('./run.mjs').BenchOptions} options */
export async function run({ log, chromium }) {
  if (!chromium) throw new Error('The window is measured in Chromium.');
  const site = await serveStandIn();
  const browser = await playwright.launch({ executablePath: chromium.executablePath, args: chromium.args });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${site.origin}/?rate=${TOKENS_PER_SECOND}&download=${DOWNLOAD_BYTES_PER_SECOND}#/models`);
    await page.getByRole('button', { name: /^Get .*Llama 3\.2 1B/ }).waitFor();
    await browser.startTracing(page, { categories: TRACE_CATEGORIES });
    log('a model loads');
    await page.getByRole('button', { name: /^Get .*Llama 3\.2 1B/ }).click();
    await page.getByText('Loaded with').waitFor({ timeout: ANSWER_TIMEOUT_MS });
    await page.getByRole('link', { name: 'Chat', exact: true }).first().click();
    log('an answer is written');
    await page.getByRole('textbox', { name: 'Message' }).fill(`Say ${REPEATS} times, and think`);
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('button', { name: 'Answer again' }).waitFor({ timeout: ANSWER_TIMEOUT_MS });
    const said = await page.locator('.acts .meta').last().innerText();
    const trace = JSON.parse((await browser.stopTracing()).toString('utf8'));
    return { ...measure(trace.traceEvents, log), tokensPerSecondShown: Number.parseFloat(said) };
  } finally {
    await browser.close();
    await site.close();
  }
}

/**
 * @param {TraceEvent[]} events
 * @param {(line: string) => void} log
 */
function measure(events, log) {
  const thread = mainThread(events);
  const tasks = events.filter(
    ({ name, ph, pid, tid }) => name === TASK && ph === 'X' && pid === thread.pid && tid === thread.tid,
  );
  const timed = tasks.filter(({ tdur }) => tdur !== undefined);
  if (timed.length === 0) throw new Error('The trace has no CPU times of the window’s tasks.');
  const sorted = timed.map(({ tdur }) => (tdur ?? 0) / 1000).sort((a, b) => a - b);
  const worst = timed.reduce((a, b) => ((b.tdur ?? 0) > (a.tdur ?? 0) ? b : a));
  for (const inner of longestInside(events, worst))
    log(`in the longest task: ${inner.name}, ${milliseconds(inner)} ms`);
  const cpuMs = sorted.reduce((sum, ms) => sum + ms, 0);
  const begin = Math.min(...timed.map(({ ts }) => ts));
  const end = Math.max(...timed.map(({ ts, dur }) => ts + (dur ?? 0)));
  return {
    mainThreadMsWorst: rounded(sorted.at(-1) ?? 0),
    mainThreadMsP99: rounded(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
    mainThreadShare: rounded(cpuMs / ((end - begin) / 1000)),
    tasks: timed.length,
    seconds: rounded((end - begin) / 1e6),
  };
}

/**
 * The main thread of the page's own renderer.
 * @param {TraceEvent[]} events
 */
function mainThread(events) {
  const frames = events.flatMap((event) => event.args?.data?.frames ?? []);
  const pid = frames.find(({ url }) => url?.startsWith('http'))?.processId;
  const threads = events.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain');
  const thread = threads.find((candidate) => candidate.pid === pid) ?? (threads.length === 1 ? threads[0] : undefined);
  if (!thread) throw new Error('The trace does not tell which thread is the window’s.');
  return thread;
}

/**
 * @param {TraceEvent[]} events
 * @param {TraceEvent} task
 */
function longestInside(events, task) {
  const end = task.ts + (task.dur ?? 0);
  return events
    .filter(
      ({ ph, pid, tid, ts, name }) =>
        ph === 'X' && pid === task.pid && tid === task.tid && ts >= task.ts && ts < end && name !== TASK,
    )
    .sort((a, b) => (b.tdur ?? 0) - (a.tdur ?? 0))
    .slice(0, 4);
}

/** @param {TraceEvent} event */
const milliseconds = ({ tdur }) => rounded((tdur ?? 0) / 1000);
/** @param {number} value */
const rounded = (value) => Math.round(value * 1000) / 1000;
