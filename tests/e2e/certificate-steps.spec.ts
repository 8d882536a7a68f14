/** The pages that a phone reads before it trusts the server's certificate, from the server as it is built. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { NetworkInterfaceInfo } from 'node:os';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { ensureBuilt } from '../../signaling/build.mjs';
import type { LanState } from '../../signaling/lan/lan-server.ts';
import type { LanRequest, RunningServer, startServer } from '../../signaling/server.ts';
import { repositoryFolder } from '../setup/cache.mjs';

const PHONE = { width: 375, height: 812 };
const ADDRESS = '192.168.77.5';

let folder: string;
let server: RunningServer;
let lan: LanState;

test.beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-steps-'));
  const built = await ensureBuilt(repositoryFolder);
  const module = (await import(pathToFileURL(built.server).href)) as { startServer: typeof startServer };
  server = await module.startServer({ port: 0, appFolder: built.app, cacheFolder: folder, lan: elsewhere() });
  lan = server.lan?.() as LanState;
});
test.afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A computer called laptop in a network of its own, whose servers listen on loopback all the same. */
function elsewhere(): LanRequest {
  const info: NetworkInterfaceInfo = {
    address: ADDRESS,
    cidr: `${ADDRESS}/24`,
    family: 'IPv4',
    internal: false,
    mac: '00:00:00:00:00:00',
    netmask: '255.255.255.0',
  };
  const silent = { query: () => {}, respond: () => {}, on: () => {}, off: () => {}, destroy: () => {} };
  return {
    port: 0,
    configFolder: folder,
    computer: {
      hostname: 'laptop',
      interfaces: () => ({ en0: [info] }),
      routedAddress: async () => ADDRESS,
      openMdns: () => silent,
    },
    bindAddress: () => '127.0.0.1',
    mdnsAnswerMs: 6,
  };
}

test.use({
  viewport: PHONE,
  launchOptions: async ({ launchOptions }, use) => {
    const names = `--host-resolver-rules=MAP laptop.local 127.0.0.1, MAP ${ADDRESS} 127.0.0.1`;
    await use({ ...launchOptions, args: [...(launchOptions.args ?? []), names] });
  },
});

const verdict = (page: Page) => page.getByRole('status');

for (const [name, title] of [
  ['ios', 'iPhone, iPad'],
  ['android', 'Android'],
  ['macos', 'Mac'],
  ['windows', 'Windows'],
] as const) {
  test(`the steps for ${title} fit a phone, and say that it does not work yet`, async ({ page }) => {
    await page.goto(`${lan.steps}${name}`);
    await expect(verdict(page)).toContainText('Not yet');
    await expect(page.getByRole('link', { name: title })).toHaveAttribute('aria-current', 'page');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    }
  });
}

test.describe('a device that trusts the certificate', () => {
  test.use({ ignoreHTTPSErrors: true });

  test('is told so, and opens the app at its name', async ({ page }) => {
    await page.goto(lan.steps ?? '');
    await expect(verdict(page)).toHaveText('This device trusts Shoal.');
    await page.getByRole('link', { name: 'Open Shoal' }).click();
    await expect(page).toHaveURL(`${lan.origins[0]}/`);
    expect(await page.evaluate(() => isSecureContext)).toBe(true);
  });
});

test.describe('a browser without scripts', () => {
  test.use({ javaScriptEnabled: false });

  test('reads the steps all the same', async ({ page }) => {
    await page.goto(`${lan.steps}ios`);
    await expect(verdict(page)).toHaveText(`Open ${lan.origins[0]}: if no warning appears, it worked.`);
    await expect(page.getByRole('button', { name: 'Check again' })).toBeHidden();
  });
});

test('a start that cannot serve the network says why and ends', async () => {
  const started = spawn(
    process.execPath,
    [path.join(repositoryFolder, 'signaling/start.mjs'), '--lan', '--interface', 'none0', '--port', '0'],
    { env: { ...process.env, SHOAL_CONFIG: folder } },
  );
  let errors = '';
  started.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  const [code] = await once(started, 'close');
  expect(code).toBe(1);
  expect(errors).toContain('--interface none0: this computer has no such interface');
});
