/** The real app where a browser keeps nothing for the page, and a model that was only looked at. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { firstWords } from '../../web/words/first.ts';
import { modelWords } from '../../web/words/models.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { rangeRequests } from './fixtures/hub-requests.ts';
import { KillableBrowser } from './fixtures/killable-browser.ts';
import { expect, test } from './fixtures/test.ts';

const MODEL = countingModel({ name: 'Count', last: 20 });
const LARGE = countingModel({ name: 'Large count', last: 20, vocabulary: 8 * 1024 });
const BLOCK = 2;

test('where site data is blocked, a model loads from its server, answers, and comes again at the next visit', async ({
  serveApp,
  shoal,
}) => {
  test.slow();
  const profile = await mkdtemp(path.join(os.tmpdir(), 'shoal-blocked-'));
  await mkdir(path.join(profile, 'Default'), { recursive: true });
  const preferences = { profile: { default_content_setting_values: { cookies: BLOCK } } };
  await writeFile(path.join(profile, 'Default/Preferences'), JSON.stringify(preferences));
  const server = await serveApp({ [MODEL.file]: MODEL.bytes });
  const browser = await KillableBrowser.start(profile);
  try {
    const page = await browser.context.newPage();
    const app = shoal(server, page);
    await app.open('models');
    const blocked = await page.evaluate(() => {
      try {
        return sessionStorage === null;
      } catch {
        return true;
      }
    });
    expect(blocked).toBe(true);
    for (const _visit of [1, 2]) {
      await app.loadFromServer(MODEL.file);
      await app.isReady(MODEL.name);
      await app.go('chat');
      await app.ask('Count, please.');
      expect(await app.finishedAnswer()).toBe(MODEL.answer);
      await page.reload();
    }
  } finally {
    await browser.kill();
    await rm(profile, { recursive: true, force: true });
  }
});

test('a model that was only looked at is no download that waits, and the first visit stays one', async ({
  serveApp,
  serveHub,
  shoal,
  page,
}) => {
  const hub = await serveHub({ repositories: { 'someone/large': { files: { [LARGE.file]: LARGE.bytes } } } });
  const app = shoal(await serveApp());
  await app.openWithHub(hub.url);
  await app.lookUp('someone/large');
  await app.chooseFile(LARGE.file);
  await expect(app.row(LARGE.name)).toBeVisible();
  await expect(app.row(LARGE.name)).toHaveCount(1);
  expect(rangeRequests(hub).length).toBeGreaterThan(0);

  await page.reload();
  await expect(page.getByRole('heading', { name: 'Models', level: 1 })).toBeVisible();
  await expect(page.getByRole('button', { name: new RegExp(`^${modelWords.resume}`) })).toHaveCount(0);
  await expect(page.getByText('Paused at')).toHaveCount(0);
  await app.go('');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(firstWords.title);
});

test('a file of a revision, and a quantization that was named, are found without choosing', async ({
  serveApp,
  serveHub,
  shoal,
  page,
}) => {
  const file = 'some-F32.gguf';
  const files = { [file]: MODEL.bytes, 'some-Q8_0.gguf': LARGE.bytes };
  const hub = await serveHub({ repositories: { 'someone/count': { files } } });
  const app = shoal(await serveApp());
  await app.openWithHub(hub.url);
  await app.lookUp('someone/count:f32');
  const found = page.locator('section').filter({ has: page.getByRole('heading', { name: modelWords.opened }) });
  await expect(found.getByRole('listitem')).toContainText('F32');
  const revision = hub.commit('someone/count');
  const before = hub.requests.length;
  await app.lookUp(`${hub.url}/someone/count/blob/${revision}/${file}`);
  const wanted = `/api/models/someone/count/revision/${revision}?blobs=true`;
  await expect.poll(() => hub.requests.slice(before).map((request) => request.path)).toContain(wanted);
  await expect(found.getByRole('listitem')).toContainText('F32');
});
