import { defineConfig } from '@playwright/test';
import { ensureChromium } from './tests/setup/chromium.mjs';

/** SwiftShader computes a token in about a second on two cores. */
const TEST_TIMEOUT_MS = 180_000;
const EXPECT_TIMEOUT_MS = 30_000;

const chromium = await ensureChromium();
if ('skipped' in chromium) throw new Error(chromium.skipped);

export default defineConfig({
  testDir: 'tests/e2e',
  outputDir: 'test-results',
  globalSetup: './tests/setup/build-app.ts',
  timeout: TEST_TIMEOUT_MS,
  expect: { timeout: EXPECT_TIMEOUT_MS },
  // each page takes every core by its software GPU
  workers: 1,
  // a browser that computes on busy cores may miss a limit once; twice is a fault
  retries: process.env.CI === undefined ? 0 : 1,
  forbidOnly: Boolean(process.env.CI),
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    trace: 'retain-on-failure',
    launchOptions: { executablePath: chromium.executablePath, args: chromium.args },
  },
});
