import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { roughBytes } from '../../web/ui/format.ts';
import { modelWords } from '../../web/words/models.ts';
import { settingsWords } from '../../web/words/settings.ts';
import { SHARD_BYTES } from '../../worker/shards/types.ts';
import type { HubServer } from '../setup/hub-server.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { rangeRequests } from './fixtures/hub-requests.ts';
import { keptBytes } from './fixtures/kept-shards.ts';
import { KillableBrowser } from './fixtures/killable-browser.ts';
import { ShoalPage } from './fixtures/shoal-page.ts';
import { test as base, expect } from './fixtures/test.ts';

/** Embedding and head of 12 MiB each: seven shards. */
const LARGE = countingModel({ name: 'Large count', last: 20, vocabulary: 24 * 1024 });
const SMALL = countingModel({ name: 'Small count', last: 20 });
const REPOSITORIES = {
  'someone/large': { files: { [LARGE.file]: LARGE.bytes } },
  'someone/small': { files: { [SMALL.file]: SMALL.bytes } },
};
const KILL_TIMEOUT_MS = 60_000;
/** Chromium writes localStorage to disk a while after. */
const STORAGE_MS = 6000;

interface KillableVisit {
  readonly app: ShoalPage;
  readonly kill: () => Promise<void>;
}

interface Fixtures {
  readonly hub: HubServer;
  /** A visit to one server in a browser of its own; all have one profile, one after another. */
  readonly visit: () => Promise<KillableVisit>;
}

const test = base.extend<Fixtures>({
  hub: async ({ serveHub }, use) => use(await serveHub({ repositories: REPOSITORIES })),
  visit: async ({ serveApp }, use) => {
    const server = await serveApp();
    const profile = await mkdtemp(path.join(os.tmpdir(), 'shoal-profile-'));
    const browsers: KillableBrowser[] = [];
    await use(async () => {
      const browser = await KillableBrowser.start(profile);
      browsers.push(browser);
      const app = new ShoalPage(await browser.context.newPage(), server.origin);
      return { app, kill: () => browser.kill() };
    });
    for (const browser of browsers) await browser.kill();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  },
});

test('a download goes on where the browser was killed, and asks for no kept byte again', async ({ hub, visit }) => {
  const { app: before, kill } = await visit();
  await before.openWithHub(hub.url);
  await before.lookUp('someone/large');
  await before.chooseFile(LARGE.file);
  await expect(before.row(LARGE.name)).toBeVisible();
  const header = await keptBytes(before.page);

  // two whole shards come, and half of a third
  hub.faults = [{ on: 'cdn', stallAfter: 2.5 * SHARD_BYTES }];
  await before.get(LARGE.name);
  const kept = header + 2 * SHARD_BYTES;
  await expect.poll(() => keptBytes(before.page), { timeout: KILL_TIMEOUT_MS }).toBe(kept);
  await expect(before.row(LARGE.name)).toContainText(modelWords.downloading);
  await kill();

  hub.faults = [];
  const asked = hub.requests.length;
  const { app: after } = await visit();
  await after.open('models');
  await after.page.getByRole('button', { name: `${modelWords.resume} ${LARGE.name}` }).click();
  await after.isReady(LARGE.name);
  const ranges = rangeRequests(hub, asked);
  expect(ranges.map(({ start }) => start)).toEqual([kept]);
  expect(ranges.reduce((sum, { sent }) => sum + sent, 0)).toBe(LARGE.bytes.length - kept);
  await after.go('chat');
  await after.ask('Count, please.');
  expect(await after.finishedAnswer()).toBe(LARGE.answer);
});

test('a load that the page did not survive: nothing loads by itself, the budget shrank, and the page says why', async ({
  hub,
  visit,
}) => {
  const { app: before, kill } = await visit();
  await before.openWithHub(hub.url);
  await before.loadFromHub('someone/small', SMALL.file, SMALL.name);
  await before.isReady(SMALL.name);
  const budget = await budgetOf(before);
  await unload(before);
  await stallInLoad(before, hub);
  await expect.poll(() => notedLoads(before), { timeout: KILL_TIMEOUT_MS }).toEqual([LARGE.name]);
  await kill();

  const { app: after } = await visit();
  await after.open('models');
  const shrunk = Math.floor(budget * 0.75);
  const why = modelWords.interrupted(LARGE.name, roughBytes(budget), roughBytes(shrunk));
  await expect(after.page.getByText(why)).toBeVisible();
  await expect(after.row(SMALL.name)).toContainText(modelWords.keptNote);
  expect(await budgetOf(after)).toBe(shrunk);

  // the person decides
  await after.go('models');
  await after.page.getByRole('button', { name: modelWords.tryAgain(SMALL.name) }).click();
  await after.isReady(SMALL.name);
  await after.go('settings/memory');
  await after.page.getByRole('button', { name: settingsWords.usual(roughBytes(budget)) }).click();
  await expect.poll(() => budgetOf(after)).toBe(budget);
});

test('a page that was not on the screen when it was ended costs no budget, and its download goes on', async ({
  hub,
  visit,
}) => {
  const { app: before, kill } = await visit();
  await before.openWithHub(hub.url);
  const budget = await budgetOf(before);
  await stallInLoad(before, hub);
  await expect.poll(() => notedLoads(before), { timeout: KILL_TIMEOUT_MS }).toEqual([LARGE.name]);
  await before.page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await before.page.waitForTimeout(STORAGE_MS);
  await kill();

  hub.faults = [];
  const { app: after } = await visit();
  await after.open('models');
  await after.isReady(LARGE.name);
  expect(await budgetOf(after)).toBe(budget);
});

test('a download beside a loaded model takes nothing from it: that one answers, and a kill costs no budget', async ({
  hub,
  visit,
}) => {
  const { app: before, kill } = await visit();
  await before.openWithHub(hub.url);
  await before.loadFromHub('someone/small', SMALL.file, SMALL.name);
  await before.isReady(SMALL.name);
  const budget = await budgetOf(before);
  await stallInLoad(before, hub);
  const pause = before.page.getByRole('button', { name: `${modelWords.pause} ${LARGE.name}` });
  await expect(pause).toBeVisible();
  await before.go('chat');
  await before.ask('Count, please.');
  expect(await before.finishedAnswer()).toBe(SMALL.answer);
  await before.go('models');
  await expect(pause).toBeVisible();
  expect(await notedLoads(before)).toEqual([]);
  await before.page.waitForTimeout(STORAGE_MS);
  await kill();

  hub.faults = [];
  const { app: after } = await visit();
  await after.open('models');
  await after.isReady(LARGE.name);
  expect(await budgetOf(after)).toBe(budget);
});

test('a page that is reloaded in the middle of a download was not ended by the system, and goes on with it', async ({
  hub,
  serveApp,
  shoal,
  page,
}) => {
  const app = shoal(await serveApp());
  await app.openWithHub(hub.url);
  const budget = await budgetOf(app);
  await stallInLoad(app, hub);
  await expect.poll(() => notedLoads(app), { timeout: KILL_TIMEOUT_MS }).toEqual([LARGE.name]);
  hub.faults = [];
  await page.reload();
  await app.isReady(LARGE.name);
  expect(await budgetOf(app)).toBe(budget);
});

/** Brings the page into the load of the large model, which then waits for the hub. */
async function stallInLoad(app: ShoalPage, hub: HubServer): Promise<void> {
  await app.lookUp('someone/large');
  await app.chooseFile(LARGE.file);
  await expect(app.row(LARGE.name)).toBeVisible();
  hub.faults = [{ on: 'cdn', stallAfter: 0, times: 9 }];
  await app.get(LARGE.name);
}

async function unload(app: ShoalPage): Promise<void> {
  await app.page.evaluate(() => {
    const { app } = document.querySelector('shoal-app') as unknown as {
      app: { models: { unload(): Promise<void> } };
    };
    return app.models.unload();
  });
}

/** What Settings says models may take, bytes. */
async function budgetOf(app: ShoalPage): Promise<number> {
  await app.go('settings/memory');
  const shown = app.page.getByLabel('Models may take');
  await expect(shown).toBeVisible();
  return app.page.evaluate(() => {
    const { app } = document.querySelector('shoal-app') as unknown as {
      app: { device: { report: { value: { budgetBytes: number } } } };
    };
    return app.device.report.value.budgetBytes;
  });
}

/** Models whose load was begun and not ended, by the worker's notes. */
async function notedLoads(app: ShoalPage): Promise<readonly string[]> {
  return app.page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open('shoal-notes');
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const request = db.transaction('notes').objectStore('notes').getAll(IDBKeyRange.bound('loading:', 'loading;'));
    const notes = await new Promise<{ model: string }[]>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    db.close();
    return notes.map(({ model }) => model);
  });
}
