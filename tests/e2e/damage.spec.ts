import { modelWords } from '../../web/words/models.ts';
import { SHARD_BYTES } from '../../worker/shards/types.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { rangeRequests } from './fixtures/hub-requests.ts';
import { flipBit, keptBytes } from './fixtures/kept-shards.ts';
import { expect, test } from './fixtures/test.ts';

const LARGE = countingModel({ name: 'Large count', last: 20, vocabulary: 24 * 1024 });
const REPOSITORIES = { 'someone/large': { files: { [LARGE.file]: LARGE.bytes } } };

test('flipped bits in what is kept, the header’s piece among them, are found, fetched again and reported', async ({
  serveApp,
  serveHub,
  shoal,
  page,
}) => {
  const hub = await serveHub({ repositories: REPOSITORIES });
  const app = shoal(await serveApp());
  await app.openWithHub(hub.url);
  await app.loadFromHub('someone/large', LARGE.file, LARGE.name);
  await app.isReady(LARGE.name);
  await flipBit(page, 0);
  await flipBit(page, 3);

  const asked = hub.requests.length;
  await page.reload();
  await app.isReady(LARGE.name);
  await expect(page.getByText(modelWords.repaired(2))).toBeVisible();
  const [header, repair, ...more] = rangeRequests(hub, asked);
  expect(more).toEqual([]);
  expect(header).toMatchObject({ start: 0, end: SHARD_BYTES });
  expect(repair).toMatchObject({ start: 3 * SHARD_BYTES, end: 4 * SHARD_BYTES });
  await app.go('chat');
  await app.ask('Count, please.');
  expect(await app.finishedAnswer()).toBe(LARGE.answer);
});

test('a model that the browser has no more room for ends with the figures, and what came is kept', async ({
  serveApp,
  serveHub,
  shoal,
  page,
  context,
}) => {
  const hub = await serveHub({ repositories: REPOSITORIES });
  const server = await serveApp();
  // room for the app and three of seven pieces; Chromium asks for the quota once, so before anything is kept
  const devtools = await context.newCDPSession(page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 3.7 * SHARD_BYTES });
  const app = shoal(server);
  await app.openWithHub(hub.url);
  await app.loadFromHub('someone/large', LARGE.file, LARGE.name);
  const row = app.row(LARGE.name);
  await expect(row.getByRole('alert')).toContainText(
    /no more room for Large-count\.gguf: .*\d MiB.* What has come so far is kept\./,
  );
  await expect(row.getByRole('link', { name: modelWords.storage })).toBeVisible();
  await expect(row.getByRole('button', { name: modelWords.again })).toBeVisible();
  expect(await keptBytes(page)).toBeGreaterThan(SHARD_BYTES);
});
