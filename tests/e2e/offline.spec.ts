import { countingModel } from './fixtures/counting-model.ts';
import { expect, test } from './fixtures/test.ts';

const MODEL = countingModel({ name: 'Offline count', last: 20 });

test('the second visit answers with the app’s server, the hub and the network off', async ({
  serveApp,
  serveHub,
  shoal,
  page,
  context,
}) => {
  const server = await serveApp();
  const hub = await serveHub({ repositories: { 'someone/count': { files: { [MODEL.file]: MODEL.bytes } } } });
  const app = shoal(server);
  await app.openWithHub(hub.url);
  await app.loadFromHub('someone/count', MODEL.file, MODEL.name);
  await app.isReady(MODEL.name);
  await app.go('chat');
  await app.ask('Count, please.');
  expect(await app.finishedAnswer()).toBe(MODEL.answer);
  await app.isKeptOffline();

  await Promise.all([server.close(), hub.close()]);
  await context.setOffline(true);
  await page.reload();
  await app.isReady(MODEL.name);
  await app.newConversation();
  await app.ask('Count again, please.');
  expect(await app.finishedAnswer()).toBe(MODEL.answer);

  // the conversation of the first visit is still here
  await page.getByRole('link', { name: 'Count, please.' }).click();
  await expect(app.answers).toHaveText([new RegExp(MODEL.answer)]);
});
