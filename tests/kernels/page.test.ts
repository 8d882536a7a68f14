import path from 'node:path';
import { type Browser, chromium, type Page } from '@playwright/test';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cacheFolder, repositoryFolder } from '../setup/cache.mjs';
import { ensureChromium } from '../setup/chromium.mjs';
import { casesFor } from './cases.ts';

const found = await ensureChromium();
const lacking = 'skipped' in found ? found.skipped : '';

describe.skipIf(lacking)(`kernels in Chromium on SwiftShader ${lacking}`, () => {
  let server: ViteDevServer;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    if ('skipped' in found) return;
    server = await createServer({
      configFile: false,
      root: repositoryFolder,
      cacheDir: path.join(cacheFolder(), 'vite-kernels'),
      logLevel: 'error',
      server: { host: '127.0.0.1', port: 0, hmr: false, ws: false, watch: null },
      optimizeDeps: { noDiscovery: true, include: [] },
    });
    await server.listen();
    const address = server.httpServer?.address();
    if (address === null || typeof address !== 'object') throw new Error('the page of the kernels is not served');
    browser = await chromium.launch(found);
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${address.port}/tests/kernels/page.html`);
    await page.waitForFunction(() => globalThis.runKernelCase !== undefined);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  it.each(casesFor('page'))('$name', async ({ name }) => {
    const wrong = await page.evaluate((which) => globalThis.runKernelCase?.(which) ?? 'the page has no cases', name);
    expect(wrong).toBeUndefined();
  });
});
