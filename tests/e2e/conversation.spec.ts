import { chatWords } from '../../web/words/chat.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { expect, test } from './fixtures/test.ts';

const SHORT = countingModel({ name: 'Short count', last: 30 });
const LONG = countingModel({ name: 'Long count', last: 1500 });

test('a stopped answer keeps its words, and goes on from them', async ({ serveApp, shoal, page }) => {
  const model = countingModel({ name: 'Count', last: 250 });
  const app = shoal(await serveApp({ [model.file]: model.bytes }));
  await app.open();
  await app.loadFromServer(model.file);
  await app.isReady(model.name);
  await app.newConversation();
  await app.ask('Count, please.');
  await app.answerBegins();
  await page.getByRole('button', { name: chatWords.stop, exact: true }).click();
  const stopped = await app.finishedAnswer();
  expect(model.answer.startsWith(stopped)).toBe(true);
  expect(stopped.length).toBeLessThan(model.answer.length);
  await expect(app.answers).toContainText([chatWords.stopped]);

  await page.getByRole('button', { name: chatWords.goOn, exact: true }).click();
  await expect(app.answers).toHaveAttribute('aria-busy', 'true');
  expect(await app.finishedAnswer()).toBe(model.answer);
});

test('answering again and editing make branches, and the old ones stay', async ({ serveApp, shoal, page }) => {
  const app = shoal(await serveApp({ [SHORT.file]: SHORT.bytes, [LONG.file]: LONG.bytes }));
  await app.open();
  await app.loadFromServer(LONG.file);
  await app.isReady(LONG.name);
  await app.newConversation();
  await app.ask('Count far.');
  await app.answerBegins();
  await page.getByRole('button', { name: chatWords.stop, exact: true }).click();
  const first = await app.finishedAnswer();

  await app.loadFromServer(SHORT.file);
  await app.isReady(SHORT.name);
  await page.getByRole('link', { name: 'Count far.' }).first().click();
  await page.getByRole('button', { name: chatWords.again, exact: true }).click();
  await expect(app.answers).toHaveCount(1);
  await expect(app.answers).toContainText([chatWords.place(2, 2)]);
  expect(await app.finishedAnswer()).toBe(SHORT.answer);

  await page.getByRole('button', { name: chatWords.previous, exact: true }).click();
  await expect(app.answers).toContainText([chatWords.place(1, 2)]);
  expect(await app.finishedAnswer()).toBe(first);
  await page.getByRole('button', { name: chatWords.next, exact: true }).click();
  await expect(app.answers).toContainText([chatWords.place(2, 2)]);

  await page.getByRole('button', { name: chatWords.edit, exact: true }).click();
  await page.getByLabel(chatWords.editLabel, { exact: true }).fill('Count less.');
  await page.getByRole('button', { name: chatWords.askAgain, exact: true }).click();
  await expect(app.questions).toContainText(['Count less.']);
  await expect(app.questions).toContainText([chatWords.place(2, 2)]);
  expect(await app.finishedAnswer()).toBe(SHORT.answer);
  await app.questions.getByRole('button', { name: chatWords.previous, exact: true }).click();
  await expect(app.questions).toContainText(['Count far.']);

  await app.conversationsAreKept();
  await page.reload();
  await expect(app.questions).toContainText(['Count far.']);
});
