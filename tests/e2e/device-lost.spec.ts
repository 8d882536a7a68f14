import { shellWords } from '../../web/words/shell.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { STORIES, storyModel, testModelFile } from './fixtures/story-model.ts';
import { expect, test } from './fixtures/test.ts';

const noStories = testModelFile(STORIES) === undefined ? `SHOAL_TEST_MODELS names no folder with ${STORIES}` : '';

test(`an answer that lost its GPU goes on to the very text of an undisturbed one${noStories && ` (skipped: ${noStories})`}`, async ({
  serveApp,
  shoal,
  page,
}) => {
  test.skip(noStories !== '', noStories);
  const app = shoal(await serveApp({ 'stories260K.gguf': await storyModel(96) }));
  await app.open();
  await app.answerGreedily();
  await app.loadFromServer('stories260K.gguf');
  await app.isReady('stories260K · F32');
  await app.newConversation();
  await app.ask('One day, a dog');
  const undisturbed = await app.finishedAnswer();

  await app.newConversation();
  await app.ask('One day, a dog');
  await app.answerBegins();
  await app.destroyDevice();
  await expect(
    page.getByText('stories260K is loading again from what is kept; the answer goes on by itself.'),
  ).toBeVisible();
  expect(await app.finishedAnswer()).toBe(undisturbed);
  await expect(app.answers).toHaveCount(1);
});

test('a GPU that is lost while nothing is asked comes back by itself, in one calm line', async ({
  serveApp,
  shoal,
  page,
}) => {
  const model = countingModel({ name: 'Count', last: 20 });
  const app = shoal(await serveApp({ [model.file]: model.bytes }));
  await app.open();
  await app.loadFromServer(model.file);
  await app.isReady(model.name);
  await app.go('chat');
  await app.destroyDevice();
  await expect(page.locator('.news')).toBeVisible();
  await expect(page.locator('.news')).toHaveCount(0, { timeout: 120_000 });
  await app.ask('Count, please.');
  expect(await app.finishedAnswer()).toBe(model.answer);
  await expect(page.getByText(shellWords.startFailed)).toHaveCount(0);
});
