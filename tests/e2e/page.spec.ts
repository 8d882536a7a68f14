/** The page alone, over a stand-in worker: what a person sees and does, whatever computes behind it. */
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { THOUGHT } from '../stand-in/answer-text.ts';
import { serveStandIn } from '../stand-in/serve.mjs';

const PHONE = { width: 375, height: 812 };
const DESKTOP = { width: 1440, height: 900 };
const SMALL_MODEL = 'SmolLM2 360M';

let site: Awaited<ReturnType<typeof serveStandIn>>;
test.beforeAll(async () => {
  site = await serveStandIn();
});
test.afterAll(async () => {
  await site.close();
});

const open = (page: Page, address: string) => page.goto(site.origin + address);

/** Loads the small model that is kept and goes to an empty conversation. */
async function ready(page: Page, scenario = ''): Promise<void> {
  await open(page, `/?kept${scenario}&download=4000000000#/models`);
  await page.getByRole('button', { name: `Load ${SMALL_MODEL}` }).click();
  await expect(page.getByText('Loaded with')).toBeVisible();
  await page.getByRole('link', { name: 'Chat', exact: true }).first().click();
  await expect(page.getByRole('heading', { name: `${SMALL_MODEL} is ready.` })).toBeVisible();
}

async function ask(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const answers = (page: Page) => page.getByRole('article', { name: 'Answer' });
const finished = (page: Page) =>
  expect(answers(page).last().getByRole('button', { name: 'Answer again' })).toBeVisible();

test.describe('a first visit', () => {
  test('says what this device can run and gets a model with one tap', async ({ page }) => {
    await open(page, '/?download=4000000000');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('A language model, on your own devices.');
    await expect(page.getByText('All 36 layers of Qwen3 4B fit here')).toBeVisible();
    await page.getByRole('button', { name: 'Get 145 MB: SmolLM2 135M' }).click();
    await expect(page).toHaveURL(/#\/models$/);
    await expect(page.getByRole('link', { name: 'Chat', exact: true }).first()).toBeVisible();
    await expect(page.getByText('Loaded with 4,096 tokens of context')).toBeVisible();
    await expect(page).toHaveTitle('Models · Shoal');
  });

  test('where the hub is out of reach shows a phone first what the server has, in the order that is read', async ({
    page,
  }) => {
    await page.setViewportSize(PHONE);
    await open(page, '/?hub=down&served');
    await expect(page.getByText('huggingface.co cannot be reached from here.')).toBeAttached();
    await expect(page.getByRole('button', { name: 'Load SmolLM2 135M Instruct' })).toBeInViewport({ ratio: 1 });
    await expect(page.getByText(/^All \d+ layers of/)).toHaveCount(0);
    const tops = await page
      .locator('main h1, main h2, main h3, main .hubline')
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().top));
    expect(tops.length).toBeGreaterThan(3);
    expect(tops).toEqual([...tops].sort((a, b) => a - b));
  });

  test('each trouble has a message of its own that says what to do', async ({ page }) => {
    for (const [problem, words] of [
      ['insecure-context', 'Open Shoal over HTTPS'],
      ['no-webgpu', 'Use Safari 26 or later'],
      ['no-adapter', 'Turn hardware acceleration on'],
      ['software-adapter', 'choose the smallest model'],
      ['slow-readback', 'Firefox is too slow'],
      ['no-f16', 'Nothing needs to be done'],
      ['no-storage', 'ordinary window'],
    ]) {
      await open(page, `/?problems=${problem}`);
      await expect(page.locator(`[data-problem="${problem}"]`)).toContainText(words ?? '');
    }
  });

  test('offers nothing to get where nothing can run', async ({ page }) => {
    await open(page, '/?problems=no-webgpu');
    await expect(page.locator('[data-problem="no-webgpu"]')).toBeVisible();
    await expect(page.getByRole('button', { name: /^Get/ })).toHaveCount(0);
  });
});

test.describe('models', () => {
  test('are sorted by what fits, and what is too large shows its sum', async ({ page }) => {
    await open(page, '/?kept#/models');
    const headings = page.locator('main h2');
    await expect(headings).toHaveText(['On this device', 'Fits this device', 'Too large for this device']);
    await expect(page.getByText(/Too large by 1\.5 GB: \d+ of its 36 layers would fit/)).toBeVisible();
    await page.getByRole('button', { name: '16,384' }).click();
    await expect(page.getByText('Fits with a shorter context').first()).toBeVisible();
    await expect(page.getByRole('button', { name: /Use [\d,]+: / }).first()).toBeVisible();
  });

  test('download with bytes, rate and time left, pause and resume', async ({ page }) => {
    await open(page, '/?download=100000000#/models');
    await page.getByRole('button', { name: 'Get 808 MB: Llama 3.2 1B' }).click();
    const row = page.getByRole('listitem').filter({ hasText: 'Llama 3.2 1B' });
    await expect(row).toContainText(/\d+ of 808 MB, 100 MB\/s, \d s left/);
    await expect(row.getByRole('progressbar')).toBeVisible();
    await row.getByRole('button', { name: 'Pause' }).click();
    await expect(row).toContainText(/Paused at \d+ of 808 MB/);
    await row.getByRole('button', { name: 'Resume' }).click();
    await expect(row).toContainText('s left');
  });

  test('once all bytes are here a load is cancelled, not paused, and its model stays kept', async ({ page }) => {
    await open(page, '/?kept&prepare=60000&download=4000000000#/models');
    await page.getByRole('button', { name: `Load ${SMALL_MODEL}` }).click();
    const row = page.getByRole('listitem').filter({ hasText: SMALL_MODEL });
    await expect(row).toContainText(/Preparing the GPU, \d+ of 24/);
    await expect(row.getByRole('button', { name: 'Pause' })).toHaveCount(0);
    await row.getByRole('button', { name: `Cancel ${SMALL_MODEL}` }).click();
    await expect(row.getByRole('button', { name: `Load ${SMALL_MODEL}` })).toBeVisible();
    await expect(row).toContainText('All of it is here and checked.');
  });

  test('a kept model that loads needs no hub, and nothing is said of it in the chat', async ({ page }) => {
    await open(page, '/?kept&hub=down&download=20000000#/models');
    await expect(page.getByText('huggingface.co cannot be reached from here.')).toBeVisible();
    await page.getByRole('button', { name: `Load ${SMALL_MODEL}` }).click();
    await page.getByRole('link', { name: 'Chat', exact: true }).first().click();
    await expect(page.getByRole('heading', { name: `${SMALL_MODEL} is loading.` })).toBeVisible();
    await expect(page.getByText('cannot be reached')).toHaveCount(0);
  });

  test('a repository of the hub lists its files, so that a person picks one', async ({ page }) => {
    await open(page, '/#/models');
    await page.getByRole('searchbox').fill('owner/name');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { name: 'Files of owner/name' })).toBeVisible();
    await expect(page.getByText('Tensors of type Q3_K are not supported yet.')).toBeVisible();
    await page.getByRole('button', { name: 'Choose model-Q4_K_M.gguf' }).click();
    await expect(page.getByRole('heading', { name: 'This file' })).toBeVisible();
    await page.getByRole('searchbox').fill('owner/missing');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('alert')).toContainText('is not on the hub');
  });

  test('a look-up that failed is tried again when it is asked for again', async ({ page }) => {
    await open(page, '/#/models');
    await page.getByRole('searchbox').fill('owner/late');
    const lookUp = page.getByRole('button', { name: 'Look up' });
    await lookUp.click();
    await expect(page.getByRole('alert')).toContainText('The hub has trouble (503).');
    await lookUp.click();
    await expect(page.getByRole('button', { name: 'Choose model-Q4_K_M.gguf' })).toBeVisible();
    await expect(page.getByRole('alert')).toHaveCount(0);
  });

  test('a file that is no model is refused with its reason, a right one loads', async ({ page }) => {
    await open(page, '/?download=4000000000#/models');
    const picker = page.locator('input[type=file]');
    await picker.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
    await expect(page.getByRole('alert')).toContainText('notes.txt is not a GGUF file');
    await picker.setInputFiles({
      name: 'mine.gguf',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from('GGUF'),
    });
    await page.getByRole('button', { name: /^Load: / }).click();
    await expect(page.getByText('Loaded with')).toBeVisible();
  });

  test('where the hub is out of reach, says what still works and offers the starter', async ({ page }) => {
    let asked = 0;
    await page.route('**/starter', async (route) => {
      if (route.request().method() === 'POST') asked += 1;
      const state = asked === 0 ? 'absent' : 'ready';
      await route.fulfill({ json: { state, message: '', doneBytes: 0 } });
    });
    await open(page, '/?hub=down&served=late&download=4000000000#/models');
    await expect(page.getByText('huggingface.co cannot be reached from here.')).toBeVisible();
    await expect(page.getByText('135 million parameters: to try, not to rely on').first()).toBeVisible();
    await page.getByRole('button', { name: 'Fetch it' }).click();
    await expect(page.getByText('Loaded with')).toBeVisible();
    expect(asked).toBe(1);
  });

  test('offers no starter that is in the server’s folder already', async ({ page }) => {
    await page.route('**/starter', (route) => route.fulfill({ json: { state: 'absent', message: '', doneBytes: 0 } }));
    await open(page, '/?hub=down&served#/models');
    await expect(page.getByText('huggingface.co cannot be reached from here.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Load SmolLM2 135M Instruct' })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Fetch it' })).toHaveCount(0);
  });

  test('does not offer the starter where the server has none', async ({ page }) => {
    await open(page, '/?hub=down#/models');
    await expect(page.getByText('huggingface.co cannot be reached from here.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Fetch it' })).toHaveCount(0);
  });

  test('a gated model leads to the licence and the token', async ({ page }) => {
    await open(page, '/?hub=gated#/models');
    await page.getByRole('button', { name: /^Get .*Qwen3 4B/ }).click();
    await expect(page.getByRole('alert')).toContainText('Accept it on huggingface.co');
    await page.getByRole('link', { name: 'Set a token' }).click();
    await expect(page.getByLabel('Access token')).toBeVisible();
  });

  test('a kept model is removed only after asking', async ({ page }) => {
    await open(page, '/?kept#/models');
    await page.getByRole('button', { name: `Remove ${SMALL_MODEL}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await expect(page.getByRole('button', { name: `Load ${SMALL_MODEL}` })).toBeVisible();
    await page.getByRole('button', { name: `Remove ${SMALL_MODEL}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect(page.getByRole('button', { name: `Load ${SMALL_MODEL}` })).toHaveCount(0);
  });

  test('after a load that killed the page nothing loads by itself, and it says why', async ({ page }) => {
    await open(page, '/?kept&interrupted#/models');
    await expect(page.getByText(/The system closed this page while Qwen3 4B was loading/)).toBeVisible();
    await expect(page.getByText('Loaded with')).toHaveCount(0);
  });
});

test.describe('a conversation', () => {
  test('streams an answer as Markdown, with speed and time to first token', async ({ page }) => {
    await ready(page, '&rate=300');
    await ask(page, 'Please think: why two tides?');
    await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
    await finished(page);
    const answer = answers(page).last();
    await expect(answer).toContainText(/[\d.]+ tokens a second, first token after [\d.]+\ss/);
    await expect(answer.getByRole('heading', { name: 'The other side' })).toBeVisible();
    await expect(answer.getByRole('table')).toBeVisible();
    await expect(answer.locator('.code')).toContainText('def next_high_tides');
    await expect(answer.locator('.code header')).toContainText('Python');
    await expect(answer).toContainText('Spring tides come with the new and the full moon.');
    await expect(answer.locator('details.think summary')).toContainText(/Thought for .* tokens/);
    await expect(answer.locator('details.think')).not.toHaveAttribute('open');
    await expect(page.getByRole('log')).toContainText('Answer: The moon pulls');
    await expect(page).toHaveTitle(/Please think/);
  });

  test('shows the same after a reload', async ({ page }) => {
    await ready(page, '&rate=2000');
    await ask(page, 'Say: **kept** words');
    await finished(page);
    await page.reload();
    await expect(answers(page).locator('strong')).toHaveText('kept');
  });

  test('is open again when Chat is gone back to, and suggests no questions that the model is too small for', async ({
    page,
  }) => {
    await ready(page, '&parameters=260000');
    await expect(page.getByRole('button', { name: /two high tides/ })).toHaveCount(0);
    await ask(page, 'Say: one thing');
    await finished(page);
    await page.getByRole('link', { name: 'Settings', exact: true }).first().click();
    await expect(page.getByRole('heading', { level: 1, name: 'Settings' })).toBeAttached();
    await page.getByRole('link', { name: 'Chat', exact: true }).first().click();
    await expect(answers(page)).toContainText('one thing');
    await page.getByRole('button', { name: 'New conversation' }).first().click();
    await expect(answers(page)).toHaveCount(0);
  });

  test('stops, keeps what came, and goes on from there', async ({ page }) => {
    await ready(page, '&rate=60');
    await ask(page, 'Why?');
    await expect(answers(page)).toContainText('The moon pulls');
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect(answers(page)).toContainText('Stopped.');
    await expect(answers(page)).not.toContainText('Spring tides');
    await page.getByRole('button', { name: 'Go on' }).click();
    await expect(answers(page)).toContainText('Spring tides come with the new', { timeout: 60_000 });
    await expect(answers(page)).toHaveCount(1);
    const text = await answers(page).innerText();
    expect(text.split('The moon pulls on the sea').length).toBe(2);
  });

  test('says that a stop was taken while a long step still runs, and leaves the focus at the field', async ({
    page,
  }) => {
    await ready(page, '&prefill=2500&rate=60');
    await ask(page, 'Why?');
    const composer = page.locator('chat-composer');
    await composer.getByRole('button', { name: 'Stop', exact: true }).press('Enter');
    await expect(composer.getByRole('button', { name: 'Stopping' })).toHaveAttribute('aria-disabled', 'true');
    await expect(answers(page)).toContainText('Stopping The step that is being computed ends first.');
    await expect(page.getByRole('log')).toHaveText('Stopping');
    await expect(answers(page)).toContainText('Stopped.');
    await expect(page.getByRole('log')).toHaveText('Stopped.');
    await expect(page.getByRole('button', { name: 'Send' })).toBeFocused();
  });

  test('a page that was reloaded in the middle of a thought goes on with it, nothing twice', async ({ page }) => {
    await ready(page, '&rate=6');
    await ask(page, 'Please think: why two tides?');
    // what is thought is kept every two seconds
    await expect(answers(page).locator('summary')).toContainText(/Thinking, [3-9]/);
    const address = new URL(page.url());
    address.searchParams.set('rate', '2000');
    await page.goto(address.href);
    await page.getByRole('button', { name: 'Go on' }).click();
    await finished(page);
    await page.locator('details.think summary').click();
    expect(await page.locator('details.think p').innerText()).toBe(THOUGHT.trim());
    await expect(answers(page)).toContainText('Spring tides come with the new');
  });

  test('answers again on a branch, and both stay', async ({ page }) => {
    await ready(page, '&rate=2000');
    await ask(page, 'Say: one');
    await finished(page);
    await page.getByRole('button', { name: 'Answer again' }).click();
    await expect(page.getByText('2 of 2')).toBeVisible();
    await finished(page);
    await page.getByRole('button', { name: 'Previous version' }).click();
    await expect(page.getByText('1 of 2')).toBeVisible();
  });

  test('an edited question asks again, and the old branch stays', async ({ page }) => {
    await ready(page, '&rate=2000');
    await ask(page, 'Say: first');
    await finished(page);
    await page.getByRole('button', { name: 'Edit and ask again' }).click();
    const field = page.getByRole('textbox', { name: 'Your message' });
    await expect(field).toBeFocused();
    await field.fill('Say: second');
    await page.getByRole('button', { name: 'Ask again' }).click();
    await expect(answers(page)).toContainText('second');
    await finished(page);
    await page.getByRole('button', { name: 'Previous version' }).first().click();
    await expect(answers(page)).toContainText('first');
    await expect(answers(page)).not.toContainText('second');
  });

  test('draws nothing that loads, runs or posts by itself', async ({ page }) => {
    const asked: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(site.origin) && !request.url().startsWith('data:')) asked.push(request.url());
    });
    await ready(page, '&rate=2000');
    const hostile = [
      'Say: ![pixel](https://evil.example/a.png)',
      '<img src="https://evil.example/b.png" onerror="window.hacked=1">',
      '<script>window.hacked=2</script><iframe src="https://evil.example/c"></iframe>',
      '<style>body{background:url(https://evil.example/d)}</style>',
      '<svg onload="window.hacked=3"><use href="https://evil.example/e#x"/></svg>',
      '<form action="https://evil.example/f"><input name="q"></form>',
      '<link rel="stylesheet" href="https://evil.example/g.css"><video src="https://evil.example/h"></video>',
      '[run](javascript:window.hacked=4) [out](https://example.org/)',
      '<a href="https://example.org/" ping="https://evil.example/i" style="position:fixed">x</a>',
      '![dot](data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==)',
    ].join('\n\n');
    await ask(page, hostile);
    await finished(page);
    const answer = answers(page).last().locator('markdown-text');
    await expect(answer.getByRole('link', { name: 'pixel' })).toHaveAttribute('href', 'https://evil.example/a.png');
    const out = answer.getByRole('link', { name: 'out' });
    await expect(out).toHaveAttribute('rel', 'noopener noreferrer');
    await expect(out).toHaveAttribute('target', '_blank');
    await expect(
      answer.locator('script, iframe, style, svg, form, input, link, video, [ping], [style], [onerror]'),
    ).toHaveCount(0);
    await expect(answer.locator('img')).toHaveCount(1);
    await expect(answer.locator('a[href^="javascript"]')).toHaveCount(0);
    expect(await page.evaluate(() => (window as unknown as { hacked?: number }).hacked)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test('the GPU goes away in the middle: the model comes back and the answer goes on', async ({ page }) => {
    await ready(page, '&download=100000000&rate=300&fault=lost&after=30');
    await ask(page, 'Why?');
    await expect(page.getByText('The GPU went away.')).toBeVisible();
    await finished(page);
    await expect(answers(page)).toHaveCount(1);
    const text = await answers(page).innerText();
    expect(text.split('The moon pulls on the sea').length).toBe(2);
    expect(text).toContain('Spring tides come with the new and the full moon.');
  });

  test('a full context is said, with the choice to drop the oldest turns', async ({ page }) => {
    await ready(page, '&rate=2000&fault=full');
    await ask(page, 'Why?');
    await expect(page.getByText('4,096 of 4,096 tokens are used.')).toBeVisible();
    await page.getByRole('button', { name: 'Drop the oldest turns' }).click();
    await expect(answers(page)).toContainText('Spring tides');
    await expect(answers(page)).toContainText('The oldest 2 turns were left out');
  });

  test('an error stands where the answer would, with the next step', async ({ page }) => {
    await ready(page, '&rate=2000&fault=memory&after=0');
    await ask(page, 'Why?');
    await expect(page.getByRole('alert')).toContainText('needs 0.4 GB more');
    await page.getByRole('button', { name: 'Try again' }).click();
    await finished(page);
    await expect(page.getByRole('alert')).toHaveCount(0);
  });

  test('does not pull a reader down who scrolled up', async ({ page }) => {
    await page.setViewportSize({ width: 900, height: 420 });
    await ready(page, '&rate=150');
    await ask(page, 'Say 3 times');
    const scroller = page.locator('.scroll');
    await expect.poll(() => scroller.evaluate((el) => el.scrollTop)).toBeGreaterThan(200);
    await scroller.hover();
    await page.mouse.wheel(0, -2000);
    await expect(page.getByRole('button', { name: 'To the newest' })).toBeVisible();
    const top = await scroller.evaluate((el) => el.scrollTop);
    const length = (await answers(page).innerText()).length;
    await expect.poll(async () => (await answers(page).innerText()).length).toBeGreaterThan(length + 100);
    expect(await scroller.evaluate((el) => el.scrollTop)).toBe(top);
    await page.getByRole('button', { name: 'To the newest' }).click();
    await expect(page.getByRole('button', { name: 'To the newest' })).toHaveCount(0);
  });

  test('changes in one window show in the other and overwrite nothing', async ({ context, page }) => {
    await ready(page, '&rate=2000');
    await ask(page, 'Say: from the first window');
    await finished(page);
    const other = await context.newPage();
    await other.goto(page.url());
    await expect(answers(other)).toContainText('from the first window');
    await page.getByRole('button', { name: 'Answer again' }).click();
    await expect(other.getByText('2 of 2')).toBeVisible();
  });

  test('the second visit loads what was used last', async ({ page }) => {
    await ready(page);
    await page.goto('about:blank');
    await open(page, '/?kept&download=4000000000');
    await expect(page.getByRole('heading', { name: `${SMALL_MODEL} is ready.` })).toBeVisible();
  });
});

test.describe('settings', () => {
  test('the theme holds from the first paint of the next visit', async ({ page }) => {
    await open(page, '/#/settings');
    await page.getByRole('button', { name: 'Dark' }).click();
    await page.reload();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await page.getByRole('button', { name: 'System' }).click();
    await expect(page.locator('html')).not.toHaveAttribute('data-theme');
  });

  test('the memory limit moves with the keyboard and changes what fits', async ({ page }) => {
    await open(page, '/#/settings/memory');
    const slider = page.getByRole('slider', { name: 'Models may take' });
    await slider.focus();
    await page.keyboard.press('End');
    await expect(page.locator('output')).toHaveText('12.9 GB');
    await page.goto(`${site.origin}/#/models`);
    await expect(page.getByRole('heading', { name: 'Too large for this device' })).toHaveCount(0);
  });

  test('a token does not follow to another hub', async ({ page }) => {
    await open(page, '/#/settings/hub');
    await page.getByLabel('Access token').fill('hf_secret');
    await page.getByLabel('Access token').blur();
    await page.getByLabel('Address').fill('nonsense');
    await page.getByLabel('Address').blur();
    await expect(page.getByRole('alert')).toContainText('An address begins with https://');
    await page.getByLabel('Address').fill('https://mirror.example/');
    await page.getByLabel('Address').blur();
    await expect(page.getByLabel('Access token')).toHaveValue('');
    await expect(page.getByText('Sent to mirror.example and nowhere else')).toBeVisible();
  });
});

test.describe('reach', () => {
  for (const [size, viewport] of [
    ['phone', PHONE],
    ['desktop', DESKTOP],
  ] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`${size}, ${colorScheme}: nothing that axe finds, nothing wider than the screen`, async ({ browser }) => {
        const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
        const page = await context.newPage();
        for (const address of [
          '/',
          '/?problems=software-adapter,no-f16&hub=down',
          '/?kept&partly#/models',
          '/?kept&partly#/settings',
        ]) {
          await open(page, address);
          await expect(page.locator('h1')).toBeAttached();
          await page.waitForTimeout(300);
          await expectClean(page, address);
        }
        await ready(page, '&rate=2000');
        await expectClean(page, 'empty conversation');
        await ask(page, 'Please think: why two tides?');
        await finished(page);
        await expectClean(page, 'answer');
        await context.close();
      });
    }
  }

  test('from the first visit to an answer with the keyboard alone', async ({ page }) => {
    await open(page, '/?download=4000000000&rate=2000');
    await tabTo(page, 'Get 145 MB: SmolLM2 135M');
    await page.keyboard.press('Enter');
    await expect(page.getByText('Loaded with')).toBeVisible();
    await tabTo(page, 'Chat');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { name: 'SmolLM2 135M is ready.' })).toBeVisible();
    await tabTo(page, 'Message');
    await page.keyboard.type('Why?');
    await page.keyboard.press('Enter');
    await finished(page);
    await expect(answers(page)).toContainText('Spring tides');
  });
});

async function tabTo(page: Page, name: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement | null;
      return (element?.getAttribute('aria-label') ?? element?.innerText ?? '').trim();
    });
    if (focused === name) return;
  }
  throw new Error(`${name} is not reached by Tab.`);
}

async function expectClean(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
  expect(found, where).toEqual([]);
  const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(width, `${where}: wider than the screen by`).toBe(0);
}
