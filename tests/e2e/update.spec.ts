import path from 'node:path';
import type { CDPSession, Page } from '@playwright/test';
import type { RunningServer } from '../../signaling/server.ts';
import { settingsWords } from '../../web/words/settings.ts';
import { shellWords } from '../../web/words/shell.ts';
import { AppVersions } from './fixtures/app-versions.ts';
import { KillableBrowser } from './fixtures/killable-browser.ts';
import { expect, test } from './fixtures/test.ts';

const NEXT = '99.0.0';

test.describe('the installed app', () => {
  let versions: AppVersions;
  let server: RunningServer;
  test.beforeEach(async () => {
    versions = await AppVersions.start([
      { file: 'package.json', from: /"version": "[^"]+"/, to: `"version": "${NEXT}"` },
    ]);
    server = versions.server;
  });
  test.afterEach(() => versions.close());

  const open = async (page: Page) => {
    await page.goto(`${server.origin}/#/settings/app`);
    await expect(page.getByRole('heading', { name: settingsWords.version })).toBeVisible();
  };
  const version = (page: Page) =>
    page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: settingsWords.version }) });
  const offer = (page: Page) => page.getByText(shellWords.update);
  const isControlled = (page: Page) => page.evaluate(() => navigator.serviceWorker.controller !== null);

  test('offers a new version, goes on with the old one until it is asked for, and takes it in every window', async ({
    page,
    context,
  }) => {
    await open(page);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await page.reload();
    expect(await isControlled(page)).toBe(true);
    await expect(offer(page)).toHaveCount(0);

    await versions.serveNext();
    await page.reload();
    await expect(offer(page)).toBeVisible();
    await expect(version(page)).not.toContainText(NEXT);
    await page.getByRole('button', { name: shellWords.later }).click();
    await expect(offer(page)).toHaveCount(0);

    await page.reload();
    await expect(offer(page)).toBeVisible();
    const second = await context.newPage();
    await open(second);
    await expect(offer(second)).toBeVisible();
    await expect(version(second)).not.toContainText(NEXT);

    await page.getByRole('button', { name: shellWords.useUpdate }).click();
    await expect(version(page)).toContainText(NEXT);
    await expect(offer(page)).toHaveCount(0);
    // the other window was not torn from its work, and follows when it is asked
    await expect(version(second)).not.toContainText(NEXT);
    await second.getByRole('button', { name: shellWords.useUpdate }).click();
    await expect(version(second)).toContainText(NEXT);

    await context.setOffline(true);
    await page.reload();
    await expect(version(page)).toContainText(NEXT);
  });

  test('can be installed, as Chromium judges it', async () => {
    const browser = await KillableBrowser.start(path.join(versions.folder, 'profile'));
    try {
      const page = await browser.context.newPage();
      await open(page);
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      const session = await browser.context.newCDPSession(page);
      expect(await installabilityErrors(session)).toEqual([]);
      const { url, errors, data } = await session.send('Page.getAppManifest');
      expect(errors).toEqual([]);
      expect(url).toBe(`${server.origin}/manifest.webmanifest`);
      const { icons, start_url, display } = JSON.parse(data ?? '') as Manifest;
      expect({ start_url, display }).toEqual({ start_url: '/', display: 'standalone' });
      for (const { src, sizes, type } of icons) {
        const size = await page.evaluate(async (address) => {
          const image = new Image();
          image.src = address;
          await image.decode();
          return `${image.naturalWidth}x${image.naturalHeight}`;
        }, src);
        if (type === 'image/png') expect(size, src).toBe(sizes);
      }
      // the judge is awake
      await page.goto(`${server.origin}/icon.svg`);
      expect(await installabilityErrors(session)).toContain('no-manifest');
      expect(icons.map(({ sizes, purpose = 'any' }) => `${purpose} ${sizes}`)).toEqual(
        expect.arrayContaining(['any 192x192', 'any 512x512', 'maskable 512x512']),
      );
    } finally {
      await browser.kill();
    }
  });
});

interface Manifest {
  readonly start_url: string;
  readonly display: string;
  readonly icons: readonly { src: string; sizes: string; type: string; purpose?: string }[];
}

async function installabilityErrors(session: CDPSession): Promise<readonly string[]> {
  const { installabilityErrors: errors } = await session.send('Page.getInstallabilityErrors');
  return errors.map(({ errorId }) => errorId);
}
