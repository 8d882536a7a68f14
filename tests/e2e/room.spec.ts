/**
 * One model over three devices, each a browser process of its own, driven by a fourth that has no GPU. Storage and wire
 * are f32: the answer is what one device would have said, whatever happens to the three.
 */
import type { RoomOfThree } from '../setup/room-of-three.mjs';
import { RoomSetting } from './fixtures/room-fixture.ts';
import { STORIES, STORY_BEGINS, storyModel, testModelFile } from './fixtures/story-model.ts';
import { expect, test } from './fixtures/test.ts';

const CONTEXT_TOKENS = 256;
const PROMPT = 'Once upon a time';
const MAX_TOKENS = 72;
/** When something happens to a device. */
const TOKENS_BEFORE = 10;
const FROZEN_MS = 10_000;

test.skip(testModelFile(STORIES) === undefined, `SHOAL_TEST_MODELS names no folder with ${STORIES}`);

let setting: RoomSetting;
let room: RoomOfThree;
/** What one device answers. */
let whole = '';

test.beforeAll(async () => {
  setting = await RoomSetting.start({ [STORIES]: await storyModel() });
  room = setting.roomOfThree(STORIES, CONTEXT_TOKENS);
  const alone = await setting.open('alone');
  whole = (await alone.answerAlone({ kind: 'server', file: STORIES }, CONTEXT_TOKENS, PROMPT, MAX_TOKENS)).text;
  await alone.close();
});
test.afterAll(() => setting.close());
test.beforeEach(() => room.complete());

test('a device without a GPU is answered by three others, as one device would answer', async () => {
  const { driver, stages } = room;
  const { devices, models } = await driver.view();
  expect(devices.find(({ own }) => own)?.compute).toBe(false);
  expect(models[0]?.stages.map(({ first, last }) => [first, last])).toEqual([
    [0, 2],
    [2, 4],
    [4, 5],
  ]);
  await driver.ask('plain', PROMPT, { maxTokens: MAX_TOKENS });
  const { text, tokens, result, lines } = await driver.finished('plain');
  expect(text.replace(/\s+/g, ' ')).toContain(STORY_BEGINS.slice(0, 60));
  expect(text).toBe(whole);
  expect(tokens).toBe(MAX_TOKENS);
  expect(result?.finish).toBe('max-tokens');
  expect(lines.filter(({ line }) => line.kind !== 'waiting')).toEqual([]);

  // any device may ask, also one that holds a part
  await stages[1]?.ask('by a stage', PROMPT, { maxTokens: MAX_TOKENS });
  expect((await stages[1]?.finished('by a stage'))?.text).toBe(whole);
});

for (const [stage, which] of ['first', 'middle', 'last'].entries()) {
  test(`the answer goes on with the same text when the device of the ${which} layers is killed`, async () => {
    const { driver, stages } = room;
    await driver.ask(which, PROMPT, { maxTokens: MAX_TOKENS });
    await driver.answerHas(which, TOKENS_BEFORE);
    const killed = await stages[stage]?.id();
    stages[stage]?.kill();
    const { text, lines } = await driver.finished(which);
    expect(text).toBe(whole);
    expect(lines.map(({ line }) => line.kind)).toContain('suspected');
    const [model] = (await driver.view()).models;
    expect(model?.stages.map(({ device }) => device)).not.toContain(killed);
  });
}

test('a device that stands still for ten seconds and wakes changes nothing in the text', async () => {
  const { driver, stages } = room;
  await driver.ask('stall', PROMPT, { maxTokens: MAX_TOKENS });
  await driver.answerHas('stall', TOKENS_BEFORE);
  stages[1]?.freeze();
  await new Promise((resolve) => setTimeout(resolve, FROZEN_MS));
  stages[1]?.thaw();
  expect((await driver.finished('stall')).text).toBe(whole);
  await driver.sees(4);
  await driver.ask('awake', PROMPT, { maxTokens: MAX_TOKENS });
  expect((await driver.finished('awake')).text).toBe(whole);
});

test('the server that introduced the devices may stop and come back while they answer', async () => {
  const { driver } = room;
  await driver.ask('restart', PROMPT, { maxTokens: MAX_TOKENS });
  await driver.answerHas('restart', TOKENS_BEFORE);
  await setting.restartServer();
  const { text, lines } = await driver.finished('restart');
  expect(text).toBe(whole);
  expect(lines.filter(({ line }) => line.kind !== 'waiting')).toEqual([]);
  // and it introduces again
  const late = await setting.open('late');
  await late.join(await driver.invite());
  await late.sees(5);
  await late.close();
});

test('the device that made the room, and drives, reloads in the middle of an answer, returns and goes on', async () => {
  const { driver } = room;
  await driver.ask('reload', PROMPT, { maxTokens: MAX_TOKENS });
  const { text: begun, tokens } = await driver.answerHas('reload', TOKENS_BEFORE);
  const before = await driver.id();
  await driver.reload();
  expect((await driver.waitForView('back in the room', ({ phase }) => phase === 'in')).self).toBe(before);
  await driver.sees(4);
  const turns = [
    { role: 'user', content: PROMPT },
    { role: 'assistant', content: begun },
  ];
  await driver.ask('again', PROMPT, { maxTokens: MAX_TOKENS - tokens, conversation: 'reload', turns });
  const { text } = await driver.finished('again');
  expect(begun + text).toBe(whole);
});

test('the maker of the room leaves for good while another device drives, and the answer goes on', async () => {
  const { driver, stages } = room;
  const [other] = stages;
  await other?.ask('left', PROMPT, { maxTokens: MAX_TOKENS });
  await other?.answerHas('left', TOKENS_BEFORE);
  await driver.leaveRoom();
  expect((await other?.finished('left'))?.text).toBe(whole);
  await other?.sees(3);
  await driver.close();
});
