import { shellWords } from '../../web/words/shell.ts';
import { type CountingModel, countingModel } from './fixtures/counting-model.ts';
import { textOf } from './fixtures/shoal-page.ts';
import { STORIES, storyModel, testModelFile } from './fixtures/story-model.ts';
import { expect, test } from './fixtures/test.ts';

/** A story where a folder of real models is named, else a count that is long enough to be broken off. */
async function longAnswer(): Promise<Pick<CountingModel, 'file' | 'bytes' | 'name'> & { readonly answer?: string }> {
  if (testModelFile(STORIES) === undefined) return countingModel({ name: 'Long count', last: 80 });
  return { file: 'stories260K.gguf', bytes: await storyModel(96), name: 'stories260K · F32' };
}

test('an answer that lost its GPU goes on to the very text of an undisturbed one', async ({
  serveApp,
  shoal,
  page,
}) => {
  const model = await longAnswer();
  const app = shoal(await serveApp({ [model.file]: model.bytes }));
  await app.open();
  await app.answerGreedily();
  await app.loadFromServer(model.file);
  await app.isReady(model.name);
  await app.newConversation();
  await app.ask('One day, a dog');
  const undisturbed = model.answer ?? (await app.finishedAnswer());
  await app.finishedAnswer();

  await app.newConversation();
  await app.ask('One day, a dog');
  await app.answerBegins();
  await app.destroyDevice();
  await expect(
    page.getByText(`${model.name} is loading again from what is kept; the answer goes on by itself.`),
  ).toBeVisible();
  await app.finishedAnswer();
  await expect.poll(() => textOf(app.answers.last())).toBe(undisturbed);
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
