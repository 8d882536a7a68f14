/** Devices of different versions: the side that is behind takes the newer app and goes on with what it was doing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { chatWords } from '../../web/words/chat.ts';
import { settingsWords } from '../../web/words/settings.ts';
import { ensureChromium } from '../setup/chromium.mjs';
import { RoomDevice } from '../setup/room-device.mjs';
import { AppVersions } from './fixtures/app-versions.ts';
import { ShoalPage } from './fixtures/shoal-page.ts';
import { STORIES, storyModel } from './fixtures/story-model.ts';
import { NO_STORIES, noStories } from './fixtures/story-room.ts';
import { expect, LOCAL_NAMES_ONLY, test } from './fixtures/test.ts';

const NEXT = '99.0.0';
/** A version that has no word in common with this one. */
const CHANGES = [
  { file: 'package.json', from: /"version": "[^"]+"/, to: `"version": "${NEXT}"` },
  { file: 'worker/mesh/identity/prover.ts', from: 'WIRE_VERSIONS = [1, 3]', to: 'WIRE_VERSIONS = [4, 4]' },
];

test.skip(noStories, NO_STORIES);

test('a newcomer with an older app updates itself once its answer is at its end, and then joins with the same invite', async () => {
  const found = await ensureChromium();
  if ('skipped' in found) throw new Error(found.skipped);
  const chromium = { ...found, args: [...found.args, `${LOCAL_NAMES_ONLY}, EXCLUDE *.local`] };
  const modelsFolder = await mkdtemp(path.join(os.tmpdir(), 'shoal-versions-models-'));
  await writeFile(path.join(modelsFolder, STORIES), await storyModel());
  const versions = await AppVersions.start(CHANGES, modelsFolder);
  const devices: RoomDevice[] = [];
  const open = async (name: string) => {
    const { origin } = versions.server;
    const device = await RoomDevice.open({ chromium, origin, name, wire: 'f32', compile: 'as-needed' });
    devices.push(device);
    return device;
  };
  try {
    const behind = await open('behind');
    await behind.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    const shoal = new ShoalPage(behind.page, versions.server.origin);
    await shoal.answerGreedily();
    await shoal.loadFromServer(STORIES);
    await shoal.isReady();
    await versions.serveNext();
    const ahead = await open('ahead');
    await ahead.makeRoom();
    const invite = await ahead.invite();

    await shoal.newConversation();
    await shoal.ask('Once upon a time');
    await shoal.answerBegins();
    await behind.page.evaluate(() => {
      Object.assign(globalThis, { isOld: true });
    });
    await behind.askToJoin(invite);
    await behind.waitForView('refused', ({ refused }) => refused === 'version');
    await behind.page.waitForFunction(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      return registration?.waiting != null;
    });
    // the answer goes on, and the page with it
    expect(await behind.page.evaluate(() => 'isOld' in globalThis)).toBe(true);
    await behind.page.getByRole('button', { name: chatWords.stop, exact: true }).click();

    await behind.page.waitForFunction(() => !('isOld' in globalThis));
    await behind.isSettled();
    await behind.waitForView('in the room', ({ phase }) => phase === 'in');
    await Promise.all([behind.sees(2), ahead.sees(2)]);
    await expect(shoal.answers).toContainText(', there was');
    await shoal.go('settings/app');
    const version = behind.page
      .getByRole('listitem')
      .filter({ has: behind.page.getByRole('heading', { name: settingsWords.version }) });
    await expect(version).toContainText(NEXT);
  } finally {
    for (const device of devices) await device.close();
    await versions.close();
    await rm(modelsFolder, { recursive: true, force: true });
  }
});
