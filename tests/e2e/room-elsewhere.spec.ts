/** The app as files on one server, and devices introduced by another. */
import { startStaticApp } from '../setup/static-app.ts';
import { RoomSetting } from './fixtures/room-fixture.ts';
import { expect, test } from './fixtures/test.ts';

test('a room forms where the app is hosted as files and its page names a server that introduces', async () => {
  let signaling = '';
  const app = await startStaticApp(() => `<meta name="shoal-signaling" content="${signaling}">`);
  const setting = await RoomSetting.start({}, { listedOrigins: [app.origin] });
  signaling = setting.origin;
  try {
    const [one, two] = [
      await setting.open('one', { origin: app.origin }),
      await setting.open('two', { origin: app.origin }),
    ];
    await one.makeRoom();
    await two.join(await one.invite());
    await Promise.all([one.sees(2), two.sees(2)]);
    // an invite leads to the app, not to who introduces
    const link = await one.page.evaluate(() => {
      const { shoalTest } = globalThis as unknown as {
        shoalTest: { app: { room: { inviteLink(code: string): string } } };
      };
      return shoalTest.app.room.inviteLink('CODE');
    });
    expect(link).toBe(`${app.origin}/#/join/CODE`);
  } finally {
    await setting.close();
    await app.close();
  }
});
