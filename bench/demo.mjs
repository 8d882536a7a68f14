// @ts-check
// npm run demo [-- --kill]
// Three headless browsers, each a device of a room of their own, run the starter model together and answer a question.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureDependencies, nodeTooOld } from '../signaling/install.mjs';

/**
 * @typedef {import('../tests/setup/room-device.mjs').RoomDevice} RoomDevice
 * @typedef {import('../tests/setup/room-device.mjs').AnswerState} AnswerState
 * @typedef {import('../worker/api.ts').RoomLine} RoomLine
 * @typedef {import('../worker/api.ts').RoomModelView} RoomModelView
 * @typedef {import('../worker/api.ts').RoomView} RoomView
 */

const USAGE = `npm run demo [-- --kill]

Opens three headless browsers, joins them in a room, lays a small model over the three and prints its answer as it comes.

  --kill   kills one of them half-way: the answer goes on
  --help   show this`;
const MODEL = 'SmolLM2-135M-Instruct.Q4_1.gguf';
const QUESTION = 'Name three animals that live in the sea, and say one thing about each.';
const NAMES = ['laptop', 'tablet', 'phone'];
/** Who is killed: not the laptop, on which the question is asked. */
const KILLED = 1;
const MAX_TOKENS = 40;
const CONTEXT_TOKENS = 512;
const PROGRESS_MS = 2000;
/** A GPU of software takes minutes to prepare and seconds a token on busy cores. */
const LOAD_TIMEOUT_MS = 10 * 60_000;
const ANSWER_TIMEOUT_MS = 15 * 60_000;

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const startedAt = performance.now();
/** What is to be closed. @type {(() => Promise<unknown>)[]} */
const closing = [];

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void closeAll().then(() => process.exit(1)));
let code = 1;
try {
  const { values } = parseArgs({
    options: { kill: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) console.log(USAGE);
  else await demonstrate(values.kill === true);
  code = 0;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
}
await closeAll();
process.stdout.write('', () => process.exit(code));

/** @param {boolean} kills */
async function demonstrate(kills) {
  const tooOld = nodeTooOld(process.versions.node);
  if (tooOld) throw new Error(tooOld);
  await ensureDependencies(root, { dev: true });
  const chromium = await findChromium();
  const origin = await serve();
  const { RoomDevice, formRoom } = await import('../tests/setup/room-device.mjs');

  say(`Opening ${NAMES.length} browsers …`);
  /** @type {RoomDevice[]} */
  const devices = [];
  for (const name of NAMES) {
    const device = await RoomDevice.open({ chromium, origin, name });
    closing.push(() => device.close());
    devices.push(device);
  }
  await formRoom(devices);
  const ids = await Promise.all(devices.map((device) => device.id()));
  say(`In one room: ${NAMES.join(', ')}.`);

  const driver = /** @type {RoomDevice} */ (devices[0]);
  await place(driver, ids);
  await answer(driver, devices, ids, kills);
}

async function findChromium() {
  const { ensureChromium } = await import('../tests/setup/chromium.mjs');
  const chromium = await ensureChromium();
  if ('skipped' in chromium) throw new Error(`The demo needs Chromium: ${chromium.skipped}`);
  return chromium;
}

/** Serves the app and the model on this machine alone. @returns {Promise<string>} the origin */
async function serve() {
  const { ensureBuilt } = await import('../signaling/build.mjs');
  const built = await ensureBuilt(root);
  /** @type {typeof import('../signaling/server.ts')} */
  const module = await import(pathToFileURL(built.server).href);
  const models = process.env.SHOAL_TEST_MODELS;
  const isHere = models !== undefined && existsSync(path.join(models, MODEL));
  const server = await module.startServer({
    appFolder: built.app,
    port: 0,
    ...(isHere ? { modelsFolder: models } : {}),
  });
  closing.push(() => server.close());
  if (isHere) return server.origin;
  say(`Fetching ${MODEL} …`);
  const report = setInterval(async () => {
    const { state, message, doneBytes } = await server.starter.state();
    if (state === 'fetching') say(`${message}, ${megabytes(doneBytes)}`);
  }, PROGRESS_MS);
  const { state, message } = await server.starter.fetch();
  clearInterval(report);
  if (state !== 'ready') throw new Error(`The model could not be fetched: ${message}`);
  return server.origin;
}

/**
 * Gives each device a third of the layers.
 * @param {RoomDevice} driver
 * @param {readonly string[]} ids
 */
async function place(driver, ids) {
  const source = /** @type {const} */ ({ kind: 'server', file: MODEL });
  const { layers, name } = await driver.inspect(source, CONTEXT_TOKENS);
  say(`Laying ${name}, ${layers} layers, over the three …`);
  const shares = ids.map((device, i) => ({
    device,
    layers: Math.floor((layers * (i + 1)) / ids.length) - Math.floor((layers * i) / ids.length),
  }));
  let saidAt = performance.now();
  const onProgress = (/** @type {RoomModelView | undefined} */ model) => {
    if (model === undefined || performance.now() - saidAt < PROGRESS_MS) return;
    saidAt = performance.now();
    const parts = model.stages.map(({ device, phase, doneBytes, totalBytes }) => {
      const bytes = totalBytes > 0 ? ` ${megabytes(doneBytes)} of ${megabytes(totalBytes)}` : '';
      return `${nameOf(ids, device)} ${phase}${bytes}`;
    });
    say(parts.join(', '));
  };
  await driver.place(source, CONTEXT_TOKENS, shares, { onProgress, timeoutMs: LOAD_TIMEOUT_MS });
}

/**
 * Asks, prints the answer as it comes, and then who did what.
 * @param {RoomDevice} driver
 * @param {readonly RoomDevice[]} devices
 * @param {readonly string[]} ids
 * @param {boolean} kills
 */
async function answer(driver, devices, ids, kills) {
  let view = await driver.view();
  /** What each device held last. @type {Map<string, { layers: string, bytes: number }>} */
  const held = new Map();
  /** Tokens of the answer that went through its layers. */
  const passed = new Map(ids.map((id) => [id, 0]));
  let [arrivals, lines, tokens] = [0, 0, 0];
  const onProgress = async (/** @type {AnswerState} */ state) => {
    for (const { line } of state.lines.slice(lines)) process.stdout.write(`\n    (${wordsFor(line)})\n`);
    process.stdout.write(
      state.arrivals
        .slice(arrivals)
        .map(({ text }) => text)
        .join(''),
    );
    for (const [device, share] of heldIn(view)) {
      held.set(device, share);
      passed.set(device, (passed.get(device) ?? 0) + state.tokens - tokens);
    }
    [arrivals, lines, tokens] = [state.arrivals.length, state.lines.length, state.tokens];
    view = await driver.view();
  };
  say('Asking the laptop:');
  console.log(`\n    ${QUESTION}\n`);
  const asked = performance.now();
  await driver.ask('demo', QUESTION, { maxTokens: MAX_TOKENS });
  const options = { timeoutMs: ANSWER_TIMEOUT_MS, onProgress };
  if (kills) {
    await driver.answerHas('demo', MAX_TOKENS / 2, options);
    devices[KILLED]?.kill();
    process.stdout.write(`\n    (the ${NAMES[KILLED]} is killed)\n`);
  }
  const { result } = await driver.finished('demo', options);
  console.log('\n');
  say(
    `${tokens} tokens in ${seconds(performance.now() - asked)}, the question's ${result?.promptTokens} read before them.`,
  );
  for (const id of ids) {
    const share = held.get(id);
    const fate = kills && id === ids[KILLED] ? ', then killed' : '';
    say(
      `${nameOf(ids, id)}: layers ${share?.layers ?? 'none'}, ${megabytes(share?.bytes ?? 0)} of memory, ${passed.get(id)} tokens${fate}`,
    );
  }
}

/**
 * @param {RoomView} view
 * @returns {Map<string, { layers: string, bytes: number }>}
 */
function heldIn({ models: [model], devices }) {
  const held = new Map();
  if (model?.phase !== 'ready') return held;
  for (const { device, first, last } of model.stages) {
    const { budgetBytes = 0, freeBytes = 0 } = devices.find((each) => each.device === device) ?? {};
    const before = held.get(device)?.layers;
    const layers = `${first + 1} to ${last}`;
    held.set(device, { layers: before ? `${before} and ${layers}` : layers, bytes: budgetBytes - freeBytes });
  }
  return held;
}

/** @param {RoomLine} line */
function wordsFor(line) {
  switch (line.kind) {
    case 'suspected':
      return `${line.device} is not heard of`;
    case 'waiting':
      return {
        loading: 'layers are being loaded',
        linking: 'devices connect',
        busy: 'devices are busy',
        storing: 'the disk is waited for',
        reading: 'the model is not known here yet',
      }[line.reason];
    case 'moved':
      return `goes on over ${[...new Set(line.devices)].join(', ')}`;
    case 'paused':
      return `nobody has room: ${megabytes(line.missingBytes)} are missing`;
    case 'resumed':
      return 'goes on';
    default:
      return line;
  }
}

/**
 * @param {readonly string[]} ids
 * @param {string} id
 */
function nameOf(ids, id) {
  return NAMES[ids.indexOf(id)] ?? id;
}

/** @param {string} words */
function say(words) {
  console.log(`[${seconds(performance.now() - startedAt).padStart(5)}] ${words}`);
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1000).toFixed(0)} s`;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

async function closeAll() {
  for (const close of closing.splice(0).reverse()) await close().catch(() => {});
}
