/** The page while models load, over a stand-in worker. */
import { expect, type Page, test } from '@playwright/test';
import { serveStandIn } from '../stand-in/serve.mjs';

const SMALL_MODEL = 'SmolLM2 360M';
const OTHER_MODEL = 'Llama 3.2 1B';

let site: Awaited<ReturnType<typeof serveStandIn>>;
test.beforeAll(async () => {
  site = await serveStandIn();
});
test.afterAll(async () => {
  await site.close();
});

const open = (page: Page, address: string) => page.goto(site.origin + address);
const answers = (page: Page) => page.getByRole('article', { name: 'Answer' });
const row = (page: Page, name: string) =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });

async function go(page: Page, view: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, `#/${view}`);
}

/** Loads the small model that is kept. */
async function loadSmall(page: Page, scenario: string): Promise<void> {
  await open(page, `/?kept&${scenario}#/models`);
  await page.getByRole('button', { name: `Load ${SMALL_MODEL}` }).click();
  await expect(row(page, SMALL_MODEL)).toContainText('Loaded with');
}

async function ask(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

test.describe('another model', () => {
  test('leaves the loaded one answering while it downloads, and when it is paused', async ({ page }) => {
    await loadSmall(page, 'download=100000000&rate=2000');
    await page.getByRole('button', { name: `Get 808 MB: ${OTHER_MODEL}` }).click();
    await expect(row(page, OTHER_MODEL)).toContainText('s left');
    await expect(row(page, SMALL_MODEL)).toContainText('Ready');
    await go(page, 'chat');
    await ask(page, 'Say: still here');
    await expect(answers(page)).toContainText('still here');
    await go(page, 'models');
    await row(page, OTHER_MODEL).getByRole('button', { name: 'Pause' }).click();
    await expect(row(page, OTHER_MODEL)).toContainText('Paused at');
    await expect(row(page, SMALL_MODEL)).toContainText('Ready');
  });

  test('takes the place of the loaded one, of which nothing says that it is ready any more', async ({ page }) => {
    await loadSmall(page, 'download=40000000');
    await page.getByRole('button', { name: 'Load SmolLM2 135M' }).click();
    await expect(row(page, SMALL_MODEL)).not.toContainText('Ready');
    await expect(row(page, SMALL_MODEL)).toContainText('Kept');
    await go(page, 'chat');
    await expect(page.getByText(/SmolLM2 135M is loading: \d+ %/)).toBeVisible();
    await page.getByRole('textbox', { name: 'Message' }).fill('Too early');
    await expect(page.getByRole('button', { name: 'Send' })).toHaveAttribute('aria-disabled', 'true');
  });
});

test('a download moves between its shards', async ({ page }) => {
  await open(page, '/?download=1000000#/models');
  await page.getByRole('button', { name: `Get 808 MB: ${OTHER_MODEL}` }).click();
  const bar = row(page, OTHER_MODEL).getByRole('progressbar');
  const shown = new Set<string | null>();
  await expect
    .poll(async () => shown.add(await bar.getAttribute('aria-valuetext')).size, { intervals: [100], timeout: 3500 })
    .toBeGreaterThanOrEqual(3);
});

test('after an interruption the usual budget is given back when the person asks for it, and the page says no more of it', async ({
  page,
}) => {
  await open(page, '/?kept&interrupted#/settings/memory');
  await expect(page.locator('output')).toHaveText('3.2 GB');
  await expect(page.getByText(/The system closed this page/)).toBeVisible();
  await page.getByRole('button', { name: 'Use 4.3 GB' }).click();
  await expect(page.locator('output')).toHaveText('4.3 GB');
  await expect(page.getByText(/The system closed this page/)).toHaveCount(0);
});

/** As a browser tells it: of a tab behind another, of a locked phone. */
async function showPage(page: Page, state: 'visible' | 'hidden'): Promise<void> {
  await page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
}

async function loseGpu(page: Page): Promise<void> {
  await page.evaluate(() =>
    (globalThis as unknown as { shoalTest: { destroyDevice(): Promise<void> } }).shoalTest.destroyDevice(),
  );
}

test.describe('a download that broke off goes on without a tap', () => {
  test('when the network is back', async ({ page }) => {
    await open(page, '/?download=100000000&break=50000000#/models');
    await page.getByRole('button', { name: `Get 808 MB: ${OTHER_MODEL}` }).click();
    await expect(row(page, OTHER_MODEL).getByRole('alert')).toContainText('The connection ended.');
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await expect(row(page, OTHER_MODEL)).toContainText('s left');
  });

  test('after a reload, but not once it was paused', async ({ page }) => {
    await open(page, '/?download=20000000#/models');
    await page.getByRole('button', { name: `Get 808 MB: ${OTHER_MODEL}` }).click();
    await expect(row(page, OTHER_MODEL)).toContainText('s left');
    await page.reload();
    await expect(row(page, OTHER_MODEL)).toContainText('s left');
    await row(page, OTHER_MODEL).getByRole('button', { name: 'Pause' }).click();
    await expect(row(page, OTHER_MODEL)).toContainText('Paused at');
    await page.reload();
    await expect(page.getByRole('button', { name: `Get 808 MB: ${OTHER_MODEL}` })).toBeVisible();
  });

  test('and is left to the window that is at it', async ({ context, page }) => {
    await open(page, '/?download=20000000#/models');
    await page.getByRole('button', { name: `Get 808 MB: ${OTHER_MODEL}` }).click();
    await expect(row(page, OTHER_MODEL)).toContainText('s left');
    const other = await context.newPage();
    await open(other, '/?download=20000000#/models');
    await expect(other.getByRole('button', { name: `Get 808 MB: ${OTHER_MODEL}` })).toBeVisible();
    await page.close();
    await other.reload();
    await expect(row(other, OTHER_MODEL)).toContainText('s left');
  });
});

test.describe('a GPU that goes away while nothing is asked', () => {
  test('comes back when the page is on the screen, and is not ready before', async ({ page }) => {
    await loadSmall(page, 'download=4000000000');
    await showPage(page, 'hidden');
    await loseGpu(page);
    await expect(page.getByText('The GPU went away.')).toBeVisible();
    await expect(row(page, SMALL_MODEL)).toContainText('Kept');
    await showPage(page, 'visible');
    await expect(row(page, SMALL_MODEL)).toContainText('Ready');
    await expect(page.getByText('The GPU went away.')).toHaveCount(0);
  });

  test('again and again is left to the person', async ({ page }) => {
    await loadSmall(page, 'download=200000000');
    for (let i = 0; i < 2; i++) {
      await loseGpu(page);
      await expect(row(page, SMALL_MODEL)).not.toContainText('Ready');
      await expect(row(page, SMALL_MODEL)).toContainText('Ready');
    }
    await loseGpu(page);
    await expect(page.getByText(/The GPU went away again and again/)).toBeVisible();
    await expect(page.getByRole('button', { name: `Load ${SMALL_MODEL}` })).toBeVisible();
  });

  test('downloads nothing unasked', async ({ page }) => {
    await loadSmall(page, 'evicts&download=40000000');
    await loseGpu(page);
    await expect(page.getByText(/the browser dropped a part of SmolLM2 360M/)).toBeVisible();
    await expect(row(page, SMALL_MODEL).getByRole('button', { name: 'Resume' })).toBeVisible();
    await expect(row(page, SMALL_MODEL)).not.toContainText('s left');
  });
});
