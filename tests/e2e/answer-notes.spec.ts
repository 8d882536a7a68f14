/** What is said beside an answer, over a stand-in worker: a full context, and what the worker had to tell. */
import { expect, type Page, test } from '@playwright/test';
import { serveStandIn } from '../stand-in/serve.mjs';

const SMALL_MODEL = 'SmolLM2 360M';

let site: Awaited<ReturnType<typeof serveStandIn>>;
test.beforeAll(async () => {
  site = await serveStandIn();
});
test.afterAll(async () => {
  await site.close();
});

const answers = (page: Page) => page.getByRole('article', { name: 'Answer' });

/** Loads the small model and asks in a new conversation. */
async function ask(page: Page, text: string, scenario: string): Promise<void> {
  await page.goto(
    `${site.origin}/?kept&download=4000000000&${scenario.includes('rate=') ? '' : 'rate=2000&'}${scenario}#/models`,
  );
  await page.getByRole('button', { name: `Load ${SMALL_MODEL}` }).click();
  await expect(page.getByText('Loaded with')).toBeVisible();
  await page.getByRole('link', { name: 'Chat', exact: true }).first().click();
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

test.describe('a full context offers only what can work', () => {
  test('to go on without the reasoning, which stays to be read', async ({ page }) => {
    await ask(page, 'Please think: why two tides?', 'fault=full&ways=reasoning&after=60');
    await expect(page.getByText('4,096 of 4,096 tokens are used.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Drop the oldest turns' })).toHaveCount(0);
    await page.getByRole('button', { name: 'Go on without its reasoning' }).click();
    await expect(answers(page)).toContainText('Spring tides');
    await expect(answers(page).locator('details.think')).toBeVisible();
  });

  test('nothing to drop where the answer itself is long, but a longer context and a new conversation', async ({
    page,
  }) => {
    await ask(page, 'Why?', 'fault=full&ways=none');
    await expect(page.getByText('4,096 of 4,096 tokens are used.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Drop the oldest turns' })).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'Go on without its reasoning' })).toHaveCount(0);
    await expect(answers(page).getByRole('button', { name: 'New conversation' })).toBeVisible();
    await answers(page).getByRole('link', { name: 'Choose a longer context' }).click();
    await expect(page).toHaveURL(/#\/models$/);
  });

  test('no longer context than the model has', async ({ page }) => {
    await ask(page, 'Why?', 'fault=full&ways=none&context=32768');
    await expect(answers(page).getByRole('button', { name: 'New conversation' })).toBeVisible();
    await expect(answers(page).getByRole('link', { name: 'Choose a longer context' })).toHaveCount(0);
  });
});

test('what the worker said of an answer stays with it, also after a reload', async ({ page }) => {
  await ask(page, 'Say: done', 'warned');
  await expect(answers(page).getByRole('button', { name: 'Answer again' })).toBeVisible();
  await expect(answers(page)).toContainText('A plain format is used.');
  await page.reload();
  await expect(answers(page)).toContainText('A plain format is used.');
});

test('what is odd about a model is said where it is ready', async ({ page }) => {
  await ask(page, 'Say: done', 'warned');
  await page.goto(`${site.origin}/?kept&warned&download=4000000000#/models`);
  await expect(page.getByText('Loaded with')).toBeVisible();
  await expect(page.getByText('Its tokens are split by guess.')).toBeVisible();
  await page.goto(`${site.origin}/?kept&warned&download=4000000000#/chat`);
  await expect(page.getByRole('heading', { name: `${SMALL_MODEL} is ready.` })).toBeVisible();
  await expect(page.getByText('Its tokens are split by guess.')).toBeVisible();
});

test('an answer that another model took the GPU from says so, and can go on', async ({ page }) => {
  await ask(page, 'Why?', 'rate=30');
  await expect(answers(page)).toContainText('The moon');
  await page.evaluate(() => {
    location.hash = '#/models';
  });
  await page.getByRole('button', { name: 'Load SmolLM2 135M' }).click();
  await page.getByRole('link', { name: 'Chat', exact: true }).first().click();
  await page.getByRole('link', { name: /Why/ }).first().click();
  await expect(answers(page)).toContainText('Another model was loaded.');
  await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible();
});
