/** Devices that compute by other kernels, in one room. */
import { expect, MAX_TOKENS, NO_STORIES, noStories, PROMPT, test } from './fixtures/story-room.ts';
import { strictLimits } from './fixtures/strict-limits.ts';

test.skip(noStories, NO_STORIES);

/** What Safari and an Android phone list. */
const LEAST_BINDING_BYTES = 128 * 1024 * 1024;
const LAYERS = [2, 2, 1];

test('devices of other storage, with the limits of Safari and of a phone, and plain ones say together what one device says', async ({
  story,
}) => {
  const { setting, source, contextTokens, whole } = story;
  const [exact, phone, plain] = [
    await setting.open('f32', { workerPrelude: await strictLimits('safari') }),
    await setting.open('phone', { wire: 'f16', workerPrelude: await strictLimits('android') }),
    await setting.open('plain', { wire: 'f16' }),
  ];
  const all = [exact, phone, plain];
  await exact.makeRoom();
  for (const device of [phone, plain]) await device.join(await exact.invite());
  for (const device of all) await device.sees(3);
  expect((await phone.report()).maxBindingBytes).toBe(LEAST_BINDING_BYTES);
  expect((await exact.report()).maxBindingBytes).toBe(LEAST_BINDING_BYTES);
  expect((await plain.report()).maxBindingBytes).toBeGreaterThan(LEAST_BINDING_BYTES);

  const place = async () => {
    const ids = await Promise.all(all.map((device) => device.id()));
    const byHand = ids.map((device, i) => ({ device, layers: LAYERS[i] ?? 0 }));
    await exact.place(source, contextTokens, byHand);
  };
  await place();
  await exact.ask('mixed', PROMPT, { maxTokens: MAX_TOKENS });
  expect((await exact.finished('mixed')).text).toBe(whole);

  // what was chosen outlives the reload that takes them back into the room
  for (const device of [phone, plain]) {
    await device.chooseF32();
    await device.reload();
    await device.waitForView('back in the room', ({ phase }) => phase === 'in');
    expect(await device.storageChosen()).toBe('f32');
  }
  for (const device of all) await device.sees(3);
  await place();
  await phone.ask('exact', PROMPT, { maxTokens: MAX_TOKENS });
  expect((await phone.finished('exact')).text).toBe(whole);
  for (const device of all) await device.close();
});
