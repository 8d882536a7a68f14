import { modelWords } from '../../web/words/models.ts';
import { SHARD_BYTES } from '../../worker/shards/types.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { rangeRequests } from './fixtures/hub-requests.ts';
import { flipBit } from './fixtures/kept-shards.ts';
import { expect, test } from './fixtures/test.ts';

const LARGE = countingModel({ name: 'Large count', last: 20, vocabulary: 24 * 1024 });
const REPOSITORIES = { 'someone/large': { files: { 'large.gguf': LARGE.bytes } } };

test('a flipped bit in what is kept is found, fetched again and reported', async ({
  serveApp,
  serveHub,
  shoal,
  page,
}) => {
  const hub = await serveHub({ repositories: REPOSITORIES });
  const app = shoal(await serveApp());
  await app.open();
  await app.useHub(hub.url);
  await app.loadFromHub('someone/large', 'large.gguf', LARGE.name);
  await app.isReady(LARGE.name);
  await flipBit(page, 3);

  const asked = hub.requests.length;
  await app.open('models');
  await app.isReady(LARGE.name);
  await expect(page.getByText(modelWords.repaired(1))).toBeVisible();
  const [repair, ...more] = rangeRequests(hub, asked);
  expect(more).toEqual([]);
  expect(repair).toMatchObject({ start: 3 * SHARD_BYTES, end: 4 * SHARD_BYTES });
  await app.go('chat');
  await app.ask('Count, please.');
  expect(await app.finishedAnswer()).toBe(LARGE.answer);
});

test('a model that the browser has no room for is refused with the figures, before a byte of it is fetched', async ({
  serveApp,
  serveHub,
  shoal,
  page,
  context,
}) => {
  const hub = await serveHub({ repositories: REPOSITORIES });
  const server = await serveApp();
  const app = shoal(server);
  await app.open();
  await app.useHub(hub.url);
  await app.lookUp('someone/large');
  await app.chooseFile('large.gguf');
  await expect(app.row(LARGE.name)).toBeVisible();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 12 * 1024 * 1024 });
  const asked = hub.requests.length;
  await app.get(LARGE.name);
  const alert = app.row(LARGE.name).getByRole('alert');
  await expect(alert).toContainText(/needs [\d.]+ MiB more on this device, and the browser has [\d.]+ MiB left/);
  await expect(app.row(LARGE.name).getByRole('link', { name: modelWords.storage })).toBeVisible();
  expect(rangeRequests(hub, asked)).toEqual([]);

  // with room again, the same button goes on
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.origin });
  await app.row(LARGE.name).getByRole('button', { name: modelWords.again }).click();
  await app.isReady(LARGE.name);
});
