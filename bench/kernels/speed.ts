import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium as playwright } from '@playwright/test';
import { buildBenchPage } from '../build-page.mjs';
import type { Machine, ShoalTimes, Times } from '../pages/speed-page.ts';
import { decoderGraph } from '../rival/graph.ts';
import { ensureOnnxRuntime } from '../rival/onnx-runtime.mjs';
import type { BenchOptions } from '../run.mjs';
import { SMOLLM2 } from './shapes.ts';

/** Tokens of the prompt and of the answer, on a GPU, and on processors that play one. */
export interface Amounts {
  readonly gpu: readonly [prompt: number, answer: number];
  readonly software: readonly [prompt: number, answer: number];
}

export interface Speeds {
  readonly machine: Machine;
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly shoal: ShoalTimes;
  /** The other engine on the same shape, or why it did not run. */
  readonly onnx: (Times & { readonly version: string }) | { readonly skipped: string };
}

const PAGE_READY_MS = 60_000;
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/**
 * Measures both engines in Chromium, one after the other. `--gpu` takes the browser's own GPU, not SwiftShader; `--prompt N`
 * and `--answer N` set the amounts.
 */
export async function measureSpeeds({ args, log, chromium }: BenchOptions, amounts: Amounts): Promise<Speeds> {
  if (chromium === undefined) throw new Error('Speed is measured in Chromium.');
  const folder = await mkdtemp(path.join(tmpdir(), 'shoal-speed-'));
  const rival = await ensureOnnxRuntime();
  let graph = new Uint8Array();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const rivalFolder = 'folder' in rival ? rival.folder : undefined;
    const isRival = url.pathname.startsWith('/rival/') && rivalFolder !== undefined;
    const file = isRival
      ? path.join(rivalFolder, url.pathname.slice('/rival/'.length))
      : path.join(folder, url.pathname);
    const headers = { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' };
    if (url.pathname === '/model.onnx') return response.writeHead(200, headers).end(graph);
    const isFile = await stat(file).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isFile) return response.writeHead(404).end();
    createReadStream(file).pipe(response.writeHead(200, headers));
  });
  let browser: Browser | undefined;
  try {
    await buildBenchPage('speed.html', folder);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const ownGpu = args.includes('--gpu');
    const flags = chromium.args.filter((flag) => !ownGpu || !flag.startsWith('--use-webgpu-adapter'));
    browser = await playwright.launch({ executablePath: chromium.executablePath, args: flags });
    const page = await browser.newPage();
    page.on('pageerror', (error) => log(error.message));
    page.setDefaultTimeout(0);
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/speed.html`);
    await page.waitForFunction('globalThis.speedBench', undefined, { timeout: PAGE_READY_MS });
    const machine = await page.evaluate(() => globalThis.speedBench.machine());
    const [prompt, answer] = machine.software ? amounts.software : amounts.gpu;
    const promptTokens = option(args, '--prompt') ?? prompt;
    const answerTokens = option(args, '--answer') ?? answer;
    log(`Shoal reads ${promptTokens} tokens and says ${answerTokens} on ${machine.adapter}`);
    const amount = [promptTokens, answerTokens] as const;
    const shoal = await page.evaluate(([p, a]) => globalThis.speedBench.shoal(p, a), amount);
    const result = { machine, promptTokens, answerTokens, shoal };
    if ('skipped' in rival) return { ...result, onnx: rival };
    graph = decoderGraph(SMOLLM2, machine.storage);
    log(`ONNX Runtime Web ${rival.version} does the same`);
    const options = { model: '/model.onnx', storage: machine.storage, promptTokens, answerTokens };
    const onnx = await page.evaluate((given) => globalThis.speedBench.onnx(given), options);
    return { ...result, onnx: { ...onnx, version: rival.version } };
  } finally {
    await browser?.close();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function option(args: readonly string[], name: string): number | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : Number(args[at + 1]);
}
