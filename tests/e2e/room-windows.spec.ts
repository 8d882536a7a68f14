/** Two windows of one browser as a room of two, by what a person does in them. */
import type { BrowserContext, Page } from '@playwright/test';
import { roomWords } from '../../web/words/room.ts';
import { shellWords } from '../../web/words/shell.ts';
import { countingModel } from './fixtures/counting-model.ts';
import { recordCount } from './fixtures/database.ts';
import type { ShoalPage } from './fixtures/shoal-page.ts';
import { test as base, expect } from './fixtures/test.ts';

/** The names that WebRTC makes of local addresses are to be found, too. */
const test = base.extend({
  launchOptions: [
    async ({ launchOptions }, use) => {
      const args = (launchOptions.args ?? []).filter((arg) => !arg.startsWith('--host-resolver-rules'));
      await use({ ...launchOptions, args });
    },
    { scope: 'worker' },
  ],
});

const MODEL = countingModel({ name: 'Count', last: 60, layers: 4 });
const JOIN_TIMEOUT_MS = 60_000;
const LAID_TIMEOUT_MS = 120_000;

const device = (page: Page, name: string) =>
  page.locator('.dev').filter({ has: page.getByRole('heading', { name, exact: true }) });
const stages = (page: Page) => page.locator('.stages li');

async function makeRoom({ page }: ShoalPage, name: string): Promise<string> {
  await page.getByLabel(roomWords.name).fill(name);
  await page.getByRole('button', { name: roomWords.make }).click();
  await expect(device(page, name)).toBeVisible();
  await expect(page.getByRole('heading', { name: roomWords.invite })).toBeVisible();
  const invite = await page.evaluate(
    // biome-ignore lint/suspicious/noExplicitAny: what tests are given
    () => (globalThis as any).shoalTest.app.room.view.value.invite as string,
  );
  return invite;
}

async function join({ page }: ShoalPage, name: string): Promise<void> {
  await page.getByLabel(roomWords.name).fill(name);
  await page.getByRole('button', { name: roomWords.joinGo, exact: true }).click();
}

test('a room of two windows: invited, allowed, laid out by hand, closed in an answer, and opened again', async ({
  serveApp,
  shoal,
  context,
  page,
}) => {
  test.setTimeout(300_000); // two software GPUs on the cores that there are
  const server = await serveApp({ [MODEL.file]: MODEL.bytes });
  const left = shoal(server, page);
  await left.open('room');
  const invite = await makeRoom(left, 'Left');
  const right = await openWindow(context, (other) => shoal(server, other), `join/${invite}`);
  await join(right, 'Right');
  await page.getByRole('button', { name: `${roomWords.allow}: Right` }).click({ timeout: JOIN_TIMEOUT_MS });
  for (const window of [left, right]) await expect(device(window.page, 'Right')).toBeVisible();

  await test.step('they share the memory of their computer', async () => {
    const whole = await page.evaluate(
      // biome-ignore lint/suspicious/noExplicitAny: what tests are given
      () => (globalThis as any).shoalTest.app.device.report.value.budgetBytes as number,
    );
    const offered = () =>
      page.evaluate(
        // biome-ignore lint/suspicious/noExplicitAny: what tests are given
        () => (globalThis as any).shoalTest.app.room.view.value.devices.map((each: any) => each.budgetBytes as number),
      );
    await expect.poll(async () => new Set(await offered()).size).toBe(1);
    await expect
      .poll(async () => (await offered()).reduce((sum: number, bytes: number) => sum + bytes))
      .toBeLessThanOrEqual(whole);
  });

  await test.step('a small model goes to one of them, and by hand to both', async () => {
    await left.go('models');
    const row = page.getByRole('listitem').filter({ hasText: `${MODEL.file}, ` });
    await row.getByRole('button', { name: new RegExp(`^${roomWords.use}`) }).click();
    await expect(page.getByText(roomWords.readyState, { exact: true })).toBeVisible({ timeout: LAID_TIMEOUT_MS });
    await expect(stages(page)).toHaveCount(1);
    await page.getByRole('button', { name: roomWords.byHand }).click();
    await page.getByLabel(roomWords.layersOf('Left'), { exact: true }).fill('1');
    await page.getByLabel(roomWords.layersOf('Right'), { exact: true }).fill('3');
    await page.getByRole('button', { name: roomWords.layOut }).click();
    await expect(stages(page)).toHaveCount(2);
    await expect(page.getByText(roomWords.readyState, { exact: true })).toBeVisible({ timeout: LAID_TIMEOUT_MS });
  });

  await test.step('each of them chats', async () => {
    for (const window of [right, left]) {
      await window.go('chat');
      await window.ask('Count, please.');
      expect(await window.finishedAnswer()).toBe(MODEL.answer);
    }
  });

  await test.step('one is closed in the middle of an answer of the other', async () => {
    await left.newConversation();
    await left.ask('Count once more.');
    await left.answerBegins();
    await right.page.close();
    expect(await left.finishedAnswer()).toBe(MODEL.answer);
  });

  await test.step('all are closed, and the room is as it was when they are opened again', async () => {
    await page.close();
    const again = await openWindow(context, (other) => shoal(server, other), 'room');
    await expect(device(again.page, 'Left').or(device(again.page, 'Right')).first()).toBeVisible();
    await expect(again.page.getByRole('heading', { name: 'Count', exact: true })).toBeVisible();
    await again.go('chat');
    await again.ask('Count again.');
    expect(await again.finishedAnswer()).toBe(MODEL.answer);
  });

  await test.step('a conversation that is removed while it is answered ends, and leaves nothing on the disk', async () => {
    const [again] = context.pages();
    if (again === undefined) throw new Error('No window is open.');
    const window = shoal(server, again);
    const kept = await keptSessions(again);
    await window.newConversation();
    await window.ask('Count for nobody.');
    await window.answerBegins();
    await expect.poll(() => keptSessions(again)).toBe(kept + 1);
    await again.getByRole('button', { name: shellWords.removeConversation('Count for nobody.') }).click();
    await again.getByRole('dialog').getByRole('button', { name: shellWords.remove }).click();
    await expect.poll(() => keptSessions(again)).toBe(kept);
    await window.newConversation();
    await window.ask('Count at last.');
    expect(await window.finishedAnswer()).toBe(MODEL.answer);
  });
});

/** How many conversations the windows of this browser drive in rooms, by what is on the disk. */
function keptSessions(page: Page): Promise<number> {
  return recordCount(page, 'shoal-sessions', 'records');
}

async function openWindow(context: BrowserContext, use: (page: Page) => ShoalPage, view: string): Promise<ShoalPage> {
  const window = use(await context.newPage());
  await window.open(view);
  return window;
}
