/** Who comes into a room, and who goes: each device a browser process of its own. */
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
});
