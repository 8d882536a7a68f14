/** The page alone, over a stand-in worker, where the browser or the machine gives less than usual. */
import { expect, type Page, test } from '@playwright/test';
import { modelWords } from '../../web/words/models.ts';
import { PROBLEMS } from '../../web/words/problems.ts';
import { shellWords } from '../../web/words/shell.ts';
import { serveStandIn } from '../stand-in/serve.mjs';

const MIB = 1024 * 1024;
const SMALL_MODEL = 'SmolLM2 360M';

let site: Awaited<ReturnType<typeof serveStandIn>>;
test.beforeAll(async () => {
  site = await serveStandIn();
});
test.afterAll(async () => {
  await site.close();
});

const open = (page: Page, address: string) => page.goto(site.origin + address);
const message = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const answers = (page: Page) => page.getByRole('article', { name: 'Answer' });
const finished = (page: Page) =>
  expect(answers(page).last().getByRole('button', { name: 'Answer again' })).toBeVisible();

async function ready(page: Page, scenario = ''): Promise<void> {
  await open(page, `/?kept${scenario}&download=4000000000#/models`);
  await page.getByRole('button', { name: `Load ${SMALL_MODEL}` }).click();
  await expect(page.getByText('Loaded with')).toBeVisible();
  await page.getByRole('link', { name: 'Chat', exact: true }).first().click();
  await expect(page.getByRole('heading', { name: `${SMALL_MODEL} is ready.` })).toBeVisible();
}

test.describe('where nothing computes', () => {
  for (const problem of ['slow-readback', 'no-webgpu'] as const) {
    test(`${problem}: every model says so, none says that it fits, and none can be begun`, async ({ page }) => {
      await open(page, `/?problems=${problem}&kept&partly&served&hub=down#/models`);
      await expect(page.locator(`[data-problem="${problem}"]`)).toContainText(PROBLEMS[problem].todo);
      const rows = page.locator('main .mlist > li');
      await expect(rows.first()).toBeVisible();
      const count = await rows.count();
      expect(count).toBeGreaterThan(5);
      await expect(page.getByRole('button', { name: modelWords.cannotRun })).toHaveCount(count);
      await expect(page.getByRole('button', { name: /^(Load|Get|Use|Resume|Fetch)/ })).toHaveCount(0);
      await expect(page.getByText(/Fits|Does not fit|Too large/)).toHaveCount(0);
    });
  }

  test('Firefox is not said to answer slowly', async ({ page }) => {
    await open(page, '/?problems=slow-readback');
    await expect(page.locator('[data-problem="slow-readback"]')).toContainText('does not compute here');
    await expect(page.getByText(/come slowly/)).toHaveCount(0);
    await expect(page.getByRole('button', { name: /^Get/ })).toHaveCount(0);
  });
});

test('a setting of one window holds in the other’s worker at once', async ({ page, context }) => {
  await open(page, '/#/settings/memory');
  const other = await context.newPage();
  await open(other, '/#/models');
  const small = page.getByLabel('Models may take');
  await expect(other.getByRole('heading', { name: 'Fits this device' })).toBeVisible();
  await small.fill(String(512 * MIB));
  await expect(other.getByText('537 MB for models')).toBeVisible();
  await expect(other.getByText(/^Too large by/)).toHaveCount(6);
  await page.bringToFront();
  await page.getByRole('button', { name: /^Use / }).click();
  await expect(other.getByText('4.3 GB for models')).toBeVisible();
});

test('an Enter that commits a composition does not send, in Safari’s order of events either', async ({ page }) => {
  await ready(page);
  const field = message(page);
  await field.fill('にほん');
  // Safari ends the composition first; the keydown that follows says 229 alone
  const code = await field.evaluate((element) => {
    element.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true, data: '日本' }));
    const legacy = { keyCode: 229 };
    const enter = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...legacy });
    element.dispatchEvent(enter);
    return enter.keyCode;
  });
  expect(code).toBe(229);
  await expect(field).toHaveValue('にほん');
  await expect(answers(page)).toHaveCount(0);
  await field.press('Enter');
  await expect(answers(page)).toHaveCount(1);
});

test('a page that opens while the server fetches the starter follows it to its row', async ({ page }) => {
  let asked = 0;
  await page.route('**/starter', async (route) => {
    asked += 1;
    expect(route.request().method()).toBe('GET');
    const state = asked < 4 ? 'fetching' : 'ready';
    await route.fulfill({ json: { state, message: '', doneBytes: asked * 10_000_000 } });
  });
  await open(page, '/?hub=down&served=late#/models');
  await expect(page.getByText(/The server is fetching it, 30 of 98 MB/)).toBeVisible();
  await expect(page.getByRole('button', { name: 'Load SmolLM2 135M Instruct' })).toBeVisible();
  expect(asked).toBe(4);
});

test.describe('what cannot be kept', () => {
  test('on a full disk is said so, and is kept once there is room', async ({ page }) => {
    await page.addInitScript(() => {
      const put = IDBObjectStore.prototype.put;
      IDBObjectStore.prototype.put = function (...args) {
        if (sessionStorage.getItem('full')) throw new DOMException('The disk is full.', 'QuotaExceededError');
        return put.apply(this, args);
      };
    });
    await ready(page, '&rate=2000');
    await page.evaluate(() => sessionStorage.setItem('full', 'yes'));
    await message(page).fill('Say: unkept');
    await page.getByRole('button', { name: 'Send' }).click();
    await finished(page);
    await expect(page.getByText(shellWords.notKept.full)).toBeVisible();
    await page.getByRole('link', { name: shellWords.makeRoom }).click();
    await expect(page).toHaveURL(/#\/settings\/storage$/);
    await page.evaluate(() => sessionStorage.removeItem('full'));
    await page.getByRole('button', { name: 'Remove SmolLM2 135M' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect(page.getByText(shellWords.notKept.full)).toHaveCount(0);
    await page.reload();
    await page.getByRole('link', { name: 'Say: unkept' }).first().click();
    await expect(answers(page)).toContainText('unkept');
  });

  test('at all: the page still draws, takes a message, and says that it goes with the window', async ({ page }) => {
    await page.addInitScript(() => {
      const refuse = () => {
        throw new DOMException('Access is denied for this document.', 'SecurityError');
      };
      for (const name of ['sessionStorage', 'localStorage']) Object.defineProperty(window, name, { get: refuse });
      IDBFactory.prototype.open = refuse;
    });
    await ready(page, '&rate=2000&problems=no-storage');
    await expect(page.locator('.empty')).toContainText('conversations go with this window');
    await message(page).fill('Say: here');
    await page.getByRole('button', { name: 'Send' }).click();
    await finished(page);
    await expect(answers(page)).toContainText('here');
    await message(page).fill('a draft');
    await page.getByRole('link', { name: 'Models', exact: true }).first().click();
    await expect(page.getByRole('heading', { name: 'Models', level: 1 })).toBeVisible();
    await page.goBack();
    await expect(message(page)).toHaveValue('a draft');
  });
});

test('what leaves the device tells of questions that are asked unasked', async ({ page }) => {
  await open(page, '/#/settings/leaves');
  const told = page.getByRole('region', { name: 'What leaves this device' });
  await expect(told).toContainText('The first visit and Models also ask there for one model of the catalogue');
});

test('only what needs a token leads to one', async ({ page }) => {
  await open(page, '/#/models');
  await page.getByRole('searchbox').fill('https://files.test/private/model.gguf');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert')).toContainText('files.test asks who you are (401)');
  await expect(page.getByRole('link', { name: 'Set a token' })).toHaveCount(0);
});

test.describe('the screen', () => {
  interface Lock {
    readonly held: number;
    readonly asked: number;
  }
  const lock = (page: Page) => page.evaluate(() => (globalThis as unknown as { testLock: Lock }).testLock);

  test.beforeEach(async ({ page }) => {
    await page.addInitScript(() => {
      const state = { held: 0, asked: 0, sentinels: new Set<EventTarget>() };
      const drop = (sentinel: EventTarget) => {
        if (!state.sentinels.delete(sentinel)) return;
        state.held -= 1;
        sentinel.dispatchEvent(new Event('release'));
      };
      const request = async () => {
        state.asked += 1;
        if (document.visibilityState !== 'visible') throw new DOMException('hidden', 'NotAllowedError');
        const sentinel = new EventTarget();
        state.sentinels.add(sentinel);
        state.held += 1;
        return Object.assign(sentinel, { release: async () => drop(sentinel) });
      };
      Object.defineProperty(Navigator.prototype, 'wakeLock', { configurable: true, get: () => ({ request }) });
      const show = (visibility: string) => {
        Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => visibility });
        // a browser takes the lock from a hidden page
        if (visibility === 'hidden') for (const sentinel of [...state.sentinels]) drop(sentinel);
        document.dispatchEvent(new Event('visibilitychange'));
      };
      Object.assign(globalThis, { testLock: state, testShow: show });
    });
  });
  const show = (page: Page, visibility: 'visible' | 'hidden') =>
    page.evaluate((shown) => (globalThis as unknown as { testShow(to: string): void }).testShow(shown), visibility);

  test('stays on while a model comes, and again when the page is shown again', async ({ page }) => {
    await open(page, '/?download=100000000#/models');
    expect(await lock(page)).toMatchObject({ held: 0, asked: 0 });
    await page.getByRole('button', { name: 'Get 808 MB: Llama 3.2 1B' }).click();
    await expect.poll(async () => (await lock(page)).held).toBe(1);
    await show(page, 'hidden');
    expect((await lock(page)).held).toBe(0);
    await show(page, 'visible');
    await expect.poll(async () => (await lock(page)).held).toBe(1);
    expect((await lock(page)).asked).toBe(2);
    await page.getByRole('button', { name: 'Pause Llama 3.2 1B' }).click();
    await expect(page.getByRole('button', { name: 'Resume Llama 3.2 1B' })).toBeVisible();
    await expect.poll(async () => (await lock(page)).held).toBe(0);
  });

  test('stays on while an answer is written, and no longer', async ({ page }) => {
    await ready(page, '&rate=60');
    await expect.poll(async () => (await lock(page)).held).toBe(0);
    await message(page).fill('Why?');
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
    await expect.poll(async () => (await lock(page)).held).toBe(1);
    await show(page, 'hidden');
    await show(page, 'visible');
    await expect.poll(async () => (await lock(page)).held).toBe(1);
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect(answers(page)).toContainText('Stopped.');
    await expect.poll(async () => (await lock(page)).held).toBe(0);
    await show(page, 'hidden');
    await show(page, 'visible');
    expect((await lock(page)).held).toBe(0);
  });
});
