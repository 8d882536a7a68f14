/** Who comes into a room, and who goes: each device a browser process of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { roomWords } from '../../web/words/room.ts';
import type { RoomView } from '../../worker/api.ts';
import type { RoomDevice } from '../setup/room-device.mjs';
import { codePicture, writeCameraFile } from './fixtures/code-picture.ts';
import { RoomSetting } from './fixtures/room-fixture.ts';
import { expect, test } from './fixtures/test.ts';

let setting: RoomSetting;

test.beforeAll(async () => {
  setting = await RoomSetting.start();
});
test.afterAll(() => setting.close());

test('a room asks before a device joins; whoever is inside allows, denies, removes; the maker may go', async () => {
  const [maker, ann, bob] = [await setting.open('maker'), await setting.open('Ann'), await setting.open('Bob')];
  await maker.makeRoom(true);
  const invite = await maker.invite();

  await test.step('allowed by the maker', async () => {
    await ann.askToJoin(invite);
    const { asking } = await maker.waitForView('asked', ({ asking }) => asking.length === 1);
    expect(asking.map(({ name }) => name)).toEqual(['Ann']);
    await ann.waitForView('told that it has to wait', ({ phase }) => phase === 'asking');
    expect((await ann.view()).devices).toEqual([]);
    await maker.answerAsking(asking[0]?.device ?? '', true);
    await ann.waitForView('in', ({ phase }) => phase === 'in');
    await Promise.all([maker.sees(2), ann.sees(2)]);
  });

  await test.step('denied by a member that did not make the room', async () => {
    await bob.askToJoin(invite);
    const { asking } = await ann.waitForView('asked', ({ asking }) => asking.length === 1);
    await ann.answerAsking(asking[0]?.device ?? '', false);
    const { phase, refused } = await bob.waitForView('refused', ({ refused }) => refused !== undefined);
    expect([phase, refused]).not.toContain('in');
    expect(refused).toBe('denied');
    expect((await maker.waitForView('without a question', ({ asking }) => asking.length === 0)).devices).toHaveLength(
      2,
    );
  });

  await test.step('nobody is asked where asking is off', async () => {
    await ann.setAskFirst(false);
    await maker.waitForView('not asking either', ({ askFirst }) => !askFirst);
    const eve = await setting.open('Eve');
    await eve.join(await ann.invite());
    await Promise.all([maker, ann, eve].map((device) => device.sees(3)));

    await eve.close();
    await maker.waitForView('without Eve', ({ devices }) => devices.some(({ presence }) => presence === 'away'));
  });

  await test.step('the maker leaves first, and the room goes on', async () => {
    const id = await maker.id();
    await maker.leaveRoom();
    expect(await maker.viewIfAny()).toBeUndefined();
    await ann.waitForView('without the maker', ({ devices }) => devices.every(({ device }) => device !== id));
    await ann.waitForView('ready to invite', ({ invite }) => invite !== undefined);
    await maker.join(await ann.invite());
    await Promise.all([maker.sees(2), ann.sees(2)]);
  });

  await test.step('a device that is removed is told, and its old invite opens nothing', async () => {
    const old = await ann.invite();
    await ann.removeDevice(await maker.id());
    await expect.poll(() => maker.wasRemoved()).toBe(true);
    expect(await maker.viewIfAny()).toBeUndefined();
    await ann.waitForView('with a new invite', ({ invite }) => invite !== undefined && !old.endsWith(invite));
    await maker.askToJoin(old);
    const { refused } = await maker.waitForView('refused', ({ refused }) => refused !== undefined);
    expect(refused).toBe('old-invite');
    await maker.join(await ann.invite());
    await Promise.all([maker.sees(2), ann.sees(2)]);
  });

  const sam = await setting.open('Sam');
  await test.step('a device that sleeps while it is removed is told when it wakes, and comes back with a new invite', async () => {
    await sam.join(await ann.invite());
    await ann.sees(3);
    const removed = await sam.id();
    sam.freeze();
    await ann.waitForView('without Sam’s link', isAway(removed));
    await ann.removeDevice(removed);
    await ann.waitForView('without Sam', ({ devices }) => devices.every(({ device }) => device !== removed));
    sam.thaw();
    await expect.poll(() => sam.wasRemoved()).toBe(true);
    expect(await sam.viewIfAny()).toBeUndefined();
    await sam.join(await ann.invite());
    expect(await sam.id()).not.toBe(removed);
    await Promise.all([maker, ann, sam].map((device) => device.sees(3)));
  });

  await test.step('a member that slept through the removal of another wakes to the new room key, and can invite with it', async () => {
    const [leaves, sleeps] = [await maker.id(), await ann.id()];
    const old = await ann.invite();
    ann.freeze();
    await sam.waitForView('without Ann’s link', isAway(sleeps));
    await sam.removeDevice(leaves);
    await sam.waitForView('with a new invite', ({ invite }) => invite !== undefined && !old.endsWith(invite));
    await expect.poll(() => maker.wasRemoved()).toBe(true);
    ann.thaw();
    const { invite } = await sam.view();
    await ann.waitForView('with the new invite', (view) => view.invite === invite);
    expect((await ann.view()).devices.map(({ device }) => device)).not.toContain(leaves);
    await maker.join(await ann.invite());
    await Promise.all([maker, ann, sam].map((device) => device.sees(3)));
  });
});

test('a code of the room is scanned in the app, by the camera and from a picture', async () => {
  const [maker] = [await setting.open('Desk')];
  await maker.makeRoom(false);
  const invite = await maker.invite();
  const scans = async (device: RoomDevice) => {
    await device.page.evaluate(() => {
      location.hash = '#/room';
    });
    await device.page.getByRole('button', { name: roomWords.scan }).click();
  };

  const folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-camera-'));
  try {
    const file = path.join(folder, 'camera.y4m');
    await writeCameraFile(file, invite);
    const phone = await setting.open('Phone', {
      args: ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${file}`],
      permissions: ['camera'],
    });
    await scans(phone);
    await phone.waitForView('in', ({ phase }) => phase === 'in');

    // where the camera is refused, a picture that somebody sent does as well
    const tablet = await setting.open('Tablet');
    await scans(tablet);
    await tablet.page.locator('dialog input[type=file]').setInputFiles(codePicture(invite));
    await tablet.waitForView('in', ({ phase }) => phase === 'in');
    await Promise.all([maker, phone, tablet].map((device) => device.sees(3)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

function isAway(id: string) {
  return ({ devices }: RoomView) => devices.some(({ device, presence }) => device === id && presence === 'away');
}

test('a phone whose page is hidden, runs on and is soon seen again is back in its room', async () => {
  const userAgent = 'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36';
  const maker = await setting.open('maker', { gpu: false });
  const phone = await setting.open('phone', { gpu: false, args: [`--user-agent=${userAgent}`] });
  await maker.makeRoom();
  await phone.join(await maker.invite());
  await Promise.all([maker.sees(2), phone.sees(2)]);
  const show = (isShown: boolean) =>
    phone.page.evaluate((shown) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => !shown });
      document.dispatchEvent(new Event('visibilitychange'));
    }, isShown);
  // the others call again after about a second, and wait for four before they give up
  for (const hiddenMs of [300, 1500, 2500, 3500]) {
    await show(false);
    await Promise.all([maker.sees(1), phone.sees(1)]);
    await phone.page.waitForTimeout(hiddenMs);
    await show(true);
    await Promise.all([maker.sees(2), phone.sees(2)]);
  }
});
