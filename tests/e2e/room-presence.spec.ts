import { RoomSetting } from './fixtures/room-fixture.ts';
import { STORIES, storyModel } from './fixtures/story-model.ts';
import { NO_STORIES, noStories } from './fixtures/story-room.ts';
import { expect, test } from './fixtures/test.ts';

test.skip(noStories, NO_STORIES);

test('a device that holds layers keeps its screen on, and its room knows', async () => {
  const setting = await RoomSetting.start({ [STORIES]: await storyModel() });
  try {
    const device = await setting.open('Ann');
    await device.page.evaluate(() => {
      const said: unknown[] = [];
      Object.assign(globalThis, { saidOfLock: said });
      // a browser without a screen refuses
      const sentinel = Object.assign(new EventTarget(), { release: async () => {} });
      Object.defineProperty(navigator, 'wakeLock', { value: { request: async () => sentinel } });
      Object.assign(globalThis, { takeLockBack: () => sentinel.dispatchEvent(new Event('release')) });
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (this: Worker, message: unknown, ...rest: unknown[]) {
        const { room } = message as { readonly room?: { readonly kind: string; readonly held?: boolean } };
        if (room?.kind === 'wake-lock') said.push(room.held);
        return Reflect.apply(postMessage, this, [message, ...rest]);
      } as Worker['postMessage'];
    });
    const said = () => device.page.evaluate(() => (globalThis as { saidOfLock?: unknown[] }).saidOfLock);
    await device.makeRoom();
    await expect.poll(said).toEqual([false]);
    await device.place({ kind: 'server', file: STORIES }, 256);
    await expect.poll(said).toEqual([false, true]);
    // as when the page is hidden
    await device.page.evaluate(() => (globalThis as { takeLockBack?: () => void }).takeLockBack?.());
    await expect.poll(said).toEqual([false, true, false]);
  } finally {
    await setting.close();
  }
});
