import { modelWords } from '../../web/words/models.ts';
import type { HubFault } from '../setup/hub-server.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { rangeRequests, secretRequests } from './fixtures/hub-requests.ts';
import { expect, test } from './fixtures/test.ts';

const MODEL = countingModel({ name: 'Count', last: 20 });
const LARGE = countingModel({ name: 'Large count', last: 20, vocabulary: 24 * 1024 });
const TOKEN = 'hf_secretsecretsecretsecret';
const ALWAYS = 1000;

test('every refusal of a hub is said in plain words with the next step', async ({
  serveApp,
  serveHub,
  shoal,
  page,
}) => {
  const hub = await serveHub({
    repositories: {
      'someone/open': { files: { [MODEL.file]: MODEL.bytes } },
      'someone/private': { files: { [MODEL.file]: MODEL.bytes }, private: true },
      'someone/gated': { files: { [MODEL.file]: MODEL.bytes }, gated: true },
      'someone/empty': { files: { 'README.md': new Uint8Array(3) } },
    },
    token: TOKEN,
  });
  const app = shoal(await serveApp());
  await app.openWithHub(hub.url);
  const again = page.getByRole('alert').getByRole('button', { name: modelWords.again });
  const away = page.getByText(modelWords.hubDown(new URL(hub.url).host));
  const says = async (words: RegExp) => expect(page.getByRole('alert')).toContainText(words);
  await app.lookUp('someone/private');
  await says(/only to those who may see it, or has no such repository.*paste a token in Settings/);
  await expect(page.getByRole('link', { name: modelWords.token })).toBeVisible();

  const answers = (fault: Omit<HubFault, 'on'>) => {
    hub.faults = [{ on: 'api', times: ALWAYS, ...fault }];
  };
  answers({ status: 404 });
  await app.lookUp('someone/open');
  await says(/no such model, revision or file in someone\/open \(404\)\. Check the name\./);
  answers({ status: 429, headers: { 'retry-after': '300' } });
  await again.click();
  await says(/asks to slow down \(429\)\. Try again in 5 minutes\./);
  await expect(away).toHaveCount(0);
  answers({ status: 503, headers: { 'retry-after': '90' } });
  await again.click();
  await says(/has trouble \(503\)\. Try again in 90 s\./);
  // the answer to the look-up says it, with the way to a mirror; the line about the hub stands over the lists
  await expect(page.getByRole('alert').getByRole('link', { name: modelWords.mirror })).toBeVisible();
  await page.getByRole('button', { name: modelWords.back }).click();
  await expect(away).toBeVisible();
  await app.lookUp('someone/open');
  await says(/has trouble \(503\)/);
  answers({ noCors: true });
  await again.click();
  await says(/answers, but not to this page: it is a mirror that does not allow it \(CORS\)/);
  hub.faults = [];
  await again.click();
  await expect(page.getByRole('button', { name: `${modelWords.choose} ${MODEL.file}` })).toBeVisible();
  await expect(away).toHaveCount(0);

  // the listing of a gated repository is open, its files are not
  await app.lookUp('someone/gated');
  await app.chooseFile(MODEL.file);
  await says(/asks for a licence\. Accept the licence at .*\/someone\/gated/);
  await expect(page.getByRole('link', { name: modelWords.token })).toBeVisible();

  await app.lookUp('someone/empty');
  await expect(page.getByText(modelWords.noFiles)).toBeVisible();
  await app.lookUp('someone/open');
  await app.chooseFile(MODEL.file);
  await expect(app.row(MODEL.name)).toBeVisible();
});

test('a source that refuses ranges, changes or hides itself is named, with what to do', async ({
  serveApp,
  serveHub,
  shoal,
  page,
}) => {
  const hub = await serveHub({
    repositories: { 'someone/large': { files: { [LARGE.file]: LARGE.bytes } } },
    direct: true,
  });
  const address = `${hub.url}/someone/large/resolve/main/${LARGE.file}`;
  const app = shoal(await serveApp());
  await app.open('models');
  hub.faults = [{ on: 'resolve', whole: true, times: ALWAYS }];
  await app.lookUp(address);
  await expect(page.getByRole('alert')).toContainText(
    /ignores byte ranges .* download the file and pick it from this device/,
  );

  hub.faults = [{ on: 'resolve', noCors: true, times: ALWAYS }];
  await app.lookUp(address);
  await expect(page.getByRole('alert')).toContainText(/\(CORS\)\. Download the file in the browser and pick it/);

  hub.faults = [{ on: 'resolve', status: 404, times: ALWAYS }];
  await app.lookUp(address);
  await expect(page.getByRole('alert')).toContainText(/has no such file \(404\)\. Check the address/);

  hub.faults = [];
  await app.lookUp(address);
  await expect(app.row(LARGE.name)).toBeVisible();
  hub.faults = [
    { on: 'resolve', times: 1 },
    { on: 'resolve', etag: '"another"', times: ALWAYS },
  ];
  await app.get(LARGE.name);
  await expect(app.row(LARGE.name).getByRole('alert')).toContainText(/changed/);
});

test('an access token opens a gated model and is told to the hub’s own origin alone', async ({
  serveApp,
  serveHub,
  shoal,
}) => {
  const hub = await serveHub({
    repositories: { 'someone/gated': { files: { [MODEL.file]: MODEL.bytes }, gated: true } },
    token: TOKEN,
  });
  const server = await serveApp();
  const app = shoal(server);
  await app.openWithHub(hub.url, TOKEN);
  await app.loadFromHub('someone/gated', MODEL.file, MODEL.name);
  await app.isReady(MODEL.name);
  await app.go('chat');
  await app.ask('Count, please.');
  expect(await app.finishedAnswer()).toBe(MODEL.answer);

  const secret = secretRequests(hub.requests);
  expect(secret.length).toBeGreaterThan(0);
  expect(secret.map(({ origin }) => origin)).not.toContain('cdn');
  expect(rangeRequests(hub).length).toBeGreaterThan(0);
  expect(hub.requests.filter(({ origin }) => origin === 'cdn').length).toBeGreaterThan(0);
});
