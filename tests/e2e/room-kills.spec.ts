/**
 * Devices of a room are killed, as by a power cut, and the answer goes on with the text that it would have had: in decode,
 * in the middle of the prompt, and while they still load their layers. Each is a browser process of its own.
 */
import {
  expect,
  LONG_MAX_TOKENS,
  LONG_PROMPT,
  MAX_TOKENS,
  NO_STORIES,
  noStories,
  PROMPT,
  type StoryRoom,
  TOKENS_BEFORE,
  test,
  tokensBefore,
} from './fixtures/story-room.ts';

/** A device that has been given layers, and is not ready with them before it is killed. */
const NEVER_COMPILES = 'GPUDevice.prototype.createComputePipelineAsync = () => new Promise(() => {});';
const LAYERS = [2, 2, 1];
const NAMES = ['first', 'middle', 'last'];

test.skip(noStories, NO_STORIES);

/** Asks with a prompt of several chunks, kills devices once the first has gone through all, and compares the answer. */
async function killInPrompt({ room, longWhole }: StoryRoom, id: string, stages: readonly number[]): Promise<void> {
  const { driver } = room;
  await driver.ask(id, LONG_PROMPT, { maxTokens: LONG_MAX_TOKENS });
  const { prefills } = await driver.prefillHasBegun(id);
  const killedAt = Math.min(...stages.map((stage) => room.stages[stage]?.kill() ?? Number.NaN));
  const { text, arrivals } = await driver.finished(id);
  expect(prefills.at(-1)?.done).toBeLessThan(prefills.at(-1)?.total ?? 0);
  expect(tokensBefore(arrivals, killedAt)).toBe(0);
  expect(text).toBe(longWhole);
}

for (const [stage, which] of NAMES.entries()) {
  test(`the device of the ${which} layers is killed in decode`, async ({ story, room }) => {
    const { driver, stages } = room;
    const id = `decode ${which}`;
    await driver.ask(id, PROMPT, { maxTokens: MAX_TOKENS });
    await driver.answerHas(id, TOKENS_BEFORE);
    const killed = await stages[stage]?.id();
    stages[stage]?.kill();
    const { text, lines } = await driver.finished(id);
    expect(text).toBe(story.whole);
    expect(lines.map(({ line }) => line.kind)).toContain('suspected');
    const [model] = (await driver.view()).models;
    expect(model?.stages.map(({ device }) => device)).not.toContain(killed);
  });

  test(`the device of the ${which} layers is killed in the middle of the prompt`, async ({ story, room }) => {
    expect(room.devices).toHaveLength(4);
    await killInPrompt(story, `prompt ${which}`, [stage]);
  });
}

test('sender and receiver, the devices of the first and middle layers, are killed at once in decode', async ({
  story,
  room,
}) => {
  const { driver, stages } = room;
  await driver.ask('two', PROMPT, { maxTokens: MAX_TOKENS });
  await driver.answerHas('two', TOKENS_BEFORE);
  for (const device of stages.slice(0, 2)) device.kill();
  expect((await driver.finished('two')).text).toBe(story.whole);
});

test('two neighbours, the devices of the middle and last layers, are killed at once in the prompt', async ({
  story,
  room,
}) => {
  expect(room.devices).toHaveLength(4);
  await killInPrompt(story, 'two in the prompt', [1, 2]);
});

for (const [stage, which] of NAMES.entries()) {
  test(`a device is killed while it loads the ${which} layers`, async ({ story, room }) => {
    const { driver, stages } = room;
    const { setting, source, contextTokens, whole } = story;
    const late = await setting.open(`late for the ${which}`, { workerPrelude: NEVER_COMPILES });
    await late.join(await driver.invite());
    await driver.sees(5);
    const id = await late.id();
    const hands = await Promise.all(stages.map((device) => device.id()));
    hands[stage] = id;
    // with another context it is another model to the room: nothing of it is ready
    const byHand = hands.map((device, i) => ({ device, layers: LAYERS[i] ?? 0 }));
    await driver.propose(source, contextTokens - 64 * (stage + 1), byHand);
    await driver.ask(which, PROMPT, { maxTokens: MAX_TOKENS });
    await driver.waitForView('loading', ({ models: [model] }) =>
      Boolean(model?.stages.some(({ device, phase }) => device === id && phase === 'loading')),
    );
    const killedAt = late.kill();
    const { text, arrivals } = await driver.finished(which);
    expect(tokensBefore(arrivals, killedAt)).toBe(0);
    expect(text).toBe(whole);
  });
}
