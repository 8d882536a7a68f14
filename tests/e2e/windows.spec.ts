import { roughBytes } from '../../web/ui/format.ts';
import { modelWords } from '../../web/words/models.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { rangeRequests } from './fixtures/hub-requests.ts';
import { expect, test } from './fixtures/test.ts';

const LARGE = countingModel({ name: 'Large count', last: 20, vocabulary: 24 * 1024 });
/** Keys and values of 16,384 positions take 160 MiB. */
const WIDE = countingModel({ name: 'Wide count', last: 20, contextTokens: 16_384, layers: 10 });
const BUDGET_BYTES = 256 * 1024 * 1024;
/** What a hub sends after a window has hung up, before it hears of it. */
const SENT_TOO_LATE_BYTES = 256 * 1024;

test('two windows that want one model at once fetch each byte of it once', async ({
  serveApp,
  serveHub,
  shoal,
  context,
  page,
}) => {
  test.slow(); // two windows share the cores that a GPU of software takes
  const server = await serveApp();
  // slower than the windows read, so that sockets hold little of what nobody waits for any more
  const repositories = { 'someone/large': { files: { [LARGE.file]: LARGE.bytes } } };
  const hub = await serveHub({ repositories, chunkDelayMs: 10 });
  const one = shoal(server, page);
  await one.openWithHub(hub.url);
  const two = shoal(server, await context.newPage());
  await two.open('models');
  for (const window of [one, two]) {
    await window.lookUp('someone/large');
    await window.chooseFile(LARGE.file);
    await expect(window.row(LARGE.name)).toBeVisible();
  }
  await Promise.all([one.get(LARGE.name), two.get(LARGE.name)]);
  await Promise.all([one.isReady(LARGE.name), two.isReady(LARGE.name)]);
  const ranges = rangeRequests(hub);
  const sent = ranges.reduce((sum, range) => sum + range.sent, 0);
  // a request is cut where the other window is at the next piece, a few chunks too late
  const cuts = ranges.filter(({ start, end, sent }) => sent < end - start).length;
  expect(sent - LARGE.bytes.length).toBeLessThanOrEqual(cuts * SENT_TOO_LATE_BYTES);
  expect(sent).toBeGreaterThanOrEqual(LARGE.bytes.length);
  for (const window of [one, two]) {
    await window.go('chat');
    await window.ask('Count, please.');
    expect(await window.finishedAnswer()).toBe(LARGE.answer);
  }

  // a third window takes it from what is kept
  const asked = hub.requests.length;
  const three = shoal(server, await context.newPage());
  await three.open('models');
  await three.isReady(LARGE.name);
  expect(rangeRequests(hub, asked)).toEqual([]);
});

test('the second window gets what the first left of the memory budget, and all of it when the first is closed', async ({
  serveApp,
  shoal,
  context,
  page,
}) => {
  test.slow(); // two windows share the cores that a GPU of software takes
  const server = await serveApp({ [WIDE.file]: WIDE.bytes });
  const one = shoal(server, page);
  await one.open('settings/memory');
  await page.getByLabel('Models may take').fill(String(BUDGET_BYTES));
  await expect(page.locator('output[for=budget]')).toHaveText(roughBytes(BUDGET_BYTES));
  await one.go('models');
  await page.getByRole('button', { name: '16,384', exact: true }).click();
  await one.loadFromServer(WIDE.file);
  await one.isReady(WIDE.name);
  await expect(one.row(WIDE.name)).toContainText('16,384 tokens');

  const second = await context.newPage();
  const two = shoal(server, second);
  await two.open('models');
  await two.isReady(WIDE.name);
  const shorter = await contextOf(two);
  expect(shorter).toBeLessThan(16_384);
  expect(await claimedBytes(two)).toBeLessThanOrEqual(BUDGET_BYTES);
  await two.go('chat');
  await two.ask('Count, please.');
  expect(await two.finishedAnswer()).toBe(WIDE.answer);

  await page.close();
  await two.go('models');
  await second.getByRole('button', { name: modelWords.loadWith('16,384') }).click();
  await expect.poll(() => contextOf(two), { timeout: 120_000 }).toBe(16_384);
});

async function contextOf(app: { readonly page: import('@playwright/test').Page }): Promise<number> {
  return app.page.evaluate(() => {
    const { app } = document.querySelector('shoal-app') as unknown as {
      app: { models: { loaded: { value?: { contextTokens: number } } } };
    };
    return app.models.loaded.value?.contextTokens ?? 0;
  });
}

/** Bytes that all windows of the origin hold. */
async function claimedBytes(app: { readonly page: import('@playwright/test').Page }): Promise<number> {
  return app.page.evaluate(async () => {
    const { held = [] } = await navigator.locks.query();
    const claims = held.map(({ name = '' }) => /^shoal-memory:.*:(\d+)$/.exec(name)?.[1]).filter((size) => size);
    return claims.reduce((sum, size) => sum + Number(size), 0);
  });
}
