// @ts-check
// How soon an answer goes on when a device that holds a part of the model is killed, and whether its text is what it would
// have been.
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { RoomDevice } from '../tests/setup/room-device.mjs';
import { RoomOfThree } from '../tests/setup/room-of-three.mjs';
import { loadTs } from '../tests/setup/run-ts.mjs';

export const about = 'seconds from the death of a device to the next token of the answer that ran over it';
export const needs = /** @type {const} */ (['chromium']);

const MODEL = 'stories260K.f32.gguf';
const PROMPT = 'Once upon a time';
const CONTEXT_TOKENS = 256;
const ROUNDS = 6;
const ROUNDS_F16 = 2;
const TOKENS_BEFORE = 8;
const TOKENS_COMPARED = 32;
/** What may have been on its way when the device died. */
const IN_FLIGHT_TOKENS = 16;
const MAX_TOKENS = TOKENS_BEFORE + TOKENS_COMPARED + 2 * IN_FLIGHT_TOKENS;
/** No run begins after that. */
const TIME_LIMIT_MS = 13 * 60_000;
const STAGES = ['first', 'middle', 'last'];

/**
 * Lays stories260K over three Chromium processes, a fourth drives; kills each stage in turn with SIGKILL while it answers.
 * A killed device is replaced by a new one before the next run, so that the three are there again.
 * @param {import('./run.mjs').BenchOptions} options
 */
export async function run({ args, log, chromium }) {
  if (!chromium) throw new Error('The room is measured in Chromium.');
  const rounds = Number(args[args.indexOf('--rounds') + 1] ?? ROUNDS) || ROUNDS;
  const folder = process.env.SHOAL_TEST_MODELS ?? '';
  const model = path.join(folder, MODEL);
  if (folder === '' || !existsSync(model)) throw new Error(`SHOAL_TEST_MODELS names no folder with ${MODEL}.`);
  const modelsFolder = await mkdtemp(path.join(tmpdir(), 'shoal-failover-'));
  const { module, close } = await loadTs('tests/setup/app-server.ts');
  /** @type {import('../signaling/server.ts').RunningServer | undefined} */
  let server;
  try {
    await copyFile(model, path.join(modelsFolder, MODEL));
    server = await module.startApp({ modelsFolder });
    const { origin } = /** @type {import('../signaling/server.ts').RunningServer} */ (server);
    const source = /** @type {const} */ ({ kind: 'server', file: MODEL });
    const whole = await answerOfOneDevice({ chromium, origin, source });
    log(`One device: ${JSON.stringify(whole)}`);
    const end = performance.now() + TIME_LIMIT_MS;
    const options = { chromium, origin, source, contextTokens: CONTEXT_TOKENS, driverGpu: false, onTrouble: log };
    const f32 = await measure(new RoomOfThree({ ...options, wire: 'f32' }), { rounds, whole, end, log });
    const f16 = await measure(new RoomOfThree({ ...options, wire: 'f16' }), { rounds: ROUNDS_F16, whole, end, log });
    return { ...f32, f16 };
  } finally {
    await server?.close();
    await close();
    await rm(modelsFolder, { recursive: true, force: true });
  }
}

/**
 * @param {Pick<import('../tests/setup/room-of-three.mjs').ThreeOptions, 'chromium' | 'origin' | 'source'>} options
 * @returns {Promise<string>}
 */
async function answerOfOneDevice({ chromium, origin, source }) {
  const device = await RoomDevice.open({ chromium, origin, name: 'alone', wire: 'f32' });
  try {
    return (await device.answerAlone(source, CONTEXT_TOKENS, PROMPT, MAX_TOKENS)).text;
  } finally {
    await device.close();
  }
}

/**
 * @param {RoomOfThree} room
 * @param {{ rounds: number, whole: string, end: number, log: (line: string) => void }} options
 */
async function measure(room, { rounds, whole, end, log }) {
  /** @type {{ seconds: number, same: boolean, said: string }[]} */
  const runs = [];
  try {
    for (let round = 0; round < rounds && performance.now() < end; round++) {
      for (const [stage, which] of STAGES.entries()) {
        await room.complete();
        const outcome = await killOne(room, stage, `${which} ${round}`, whole);
        runs.push(outcome);
        const text = outcome.same ? 'as' : 'NOT as';
        log(
          `${room.options.wire} ${which}: ${outcome.seconds.toFixed(2)} s (${outcome.said}), text ${text} by one device`,
        );
      }
    }
  } finally {
    await room.close();
  }
  const seconds = runs.map((each) => each.seconds).sort((a, b) => a - b);
  return {
    worstSeconds: round(seconds.at(-1) ?? Number.POSITIVE_INFINITY),
    medianSeconds: round(seconds[seconds.length >> 1] ?? Number.POSITIVE_INFINITY),
    runs: runs.length,
    sameText: runs.filter(({ same }) => same).length,
  };
}

/**
 * @param {RoomOfThree} room
 * @param {number} stage
 * @param {string} id
 * @param {string} whole what one device answers
 */
async function killOne({ driver, stages }, stage, id, whole) {
  await driver.ask(id, PROMPT, { maxTokens: MAX_TOKENS });
  await driver.answerHas(id, TOKENS_BEFORE);
  const killedAt = /** @type {RoomDevice} */ (stages[stage]).kill();
  const { text, arrivals, lines } = await driver.finished(id);
  // tokens that were on their way come at once: what counts is the one that ended the pause
  let [before, pauseMs, endedAt, compared] = [killedAt, 0, killedAt, 0];
  for (const { at, tokens } of arrivals.filter((arrival) => arrival.at > killedAt)) {
    if (at - before > pauseMs) {
      [pauseMs, endedAt, compared] = [at - before, at, 0];
    }
    compared += tokens;
    before = at;
  }
  if (compared < TOKENS_COMPARED) throw new Error(`${id}: only ${compared} tokens came after the pause.`);
  const said = lines.map(({ at, line }) => `${line.kind} ${((at - killedAt) / 1000).toFixed(2)}`).join(', ');
  return { seconds: (endedAt - killedAt) / 1000, same: text === whole, said };
}

/** @param {number} seconds */
function round(seconds) {
  return Math.round(seconds * 100) / 100;
}
