// @ts-check
// What a lap over several devices takes beyond what its stages take, over bare messages on the same connections.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadTs } from '../tests/setup/run-ts.mjs';
import { buildBenchPage } from './build-page.mjs';
import { openBrowsers, openStripes } from './lap-devices.mjs';
import { startNetwork } from './lap-network.mjs';

const ONE_WAY_MS = [0, 5, 20, 50];
/** Of these the results count; without a delay the browsers' own work is all there is. */
const LEAST_ONE_WAY_MS = 5;
const DEVICES = [2, 3];
const STAGE_WAIT_MS = 2;
/** Of f16. */
const STATE_BYTES = 2;
/** Laps that count, and before them those in which whole and sliced messages are tried in turn. */
const ONE_ROW = [
  { hiddenSize: 576, rows: 1, laps: 200, pilot: 20 },
  { hiddenSize: 4096, rows: 1, laps: 200, pilot: 20 },
  { hiddenSize: 8192, rows: 1, laps: 200, pilot: 20 },
];
/** These move 72 KiB to 1 MiB a lap and hop: as many laps as there is time for, but the least. */
const MANY_ROWS = [
  { hiddenSize: 576, rows: 64, laps: 200, pilot: 20 },
  { hiddenSize: 4096, rows: 64, laps: 200, pilot: 10 },
  { hiddenSize: 8192, rows: 64, laps: 200, pilot: 10 },
];
const LEAST_LAPS = 20;
/** For one of them at most. */
const MOST_MS = 50_000;
/** Of all, but for starting. */
const TIME_LIMIT_MS = 13 * 60_000;
/** A lost link makes laps begin anew; then they are measured again, so often. */
const TRIES = 3;
const STRIPES = { connections: [1, 2, 4], bytes: [64 * 1024, 1024 * 1024], rounds: 20, warm: 5 };
const READBACKS = 20;
/** With that much delay the machine mostly waits: single rows are measured at the same time, each size in its own room. */
const TOGETHER_ONE_WAY_MS = 20;

export const about = 'what a lap over two and three devices takes beyond its stages, over bare messages';
export const needs = /** @type {const} */ (['chromium']);

/**
 * @typedef {typeof ONE_ROW[number]} Shape
 * @typedef {import('./lap-devices.mjs').LapDevice} LapDevice
 * @typedef {import('./pages/lap-stage.ts').Visit} Visit
 *
 * @typedef {object} Measured
 * @property {number} hiddenSize
 * @property {number} rows
 * @property {number} oneWayMs
 * @property {number} devices
 * @property {number} laps
 * @property {number} lapMs median of what laps took beyond their stages
 * @property {number} pingPongMs median of what bare messages took, summed over the hops of a lap
 * @property {number} lapP95Ms
 * @property {number} pingPongP95Ms
 * @property {number} ratio
 * @property {number} ratioP95
 * @property {string} ways of the bare messages, hop by hop
 */

/**
 * Three Chromium processes form rooms over a network that delays, the app's own links and stages between them; a stage
 * waits 2 ms and computes nothing. Bare messages go over a third channel of the same connections, just before the rows
 * that they stand for.
 * @param {import('./run.mjs').BenchOptions} options
 */
export async function run({ args, log, chromium }) {
  if (!chromium) throw new Error('Laps are measured in Chromium.');
  const choose = chooser(args);
  const folder = await mkdtemp(path.join(tmpdir(), 'shoal-lap-'));
  const network = startNetwork();
  const { module, close } = await loadTs('signaling/server.ts');
  /** @type {import('../signaling/server.ts').RunningServer | undefined} */
  let server;
  /** @type {Awaited<ReturnType<typeof openBrowsers>> | undefined} */
  let browsers;
  try {
    await buildBenchPage('lap.html', folder);
    const running = /** @type {import('../signaling/server.ts').RunningServer} */ (
      await module.startServer({ port: 0, appFolder: folder })
    );
    server = running;
    browsers = await openBrowsers({ chromium, origin: running.origin, network, count: Math.max(...DEVICES), log });
    if (args.includes('--stripes')) return await measureStripes({ browsers, network, choose, log });
    const single = ONE_ROW.filter(choose.shape);
    const many = MANY_ROWS.filter(choose.shape);
    const delays = choose.oneWayMs(ONE_WAY_MS);
    const counts = choose.devices(DEVICES);
    const end = performance.now() + TIME_LIMIT_MS;
    let left = many.length * delays.length * counts.length;
    /** @type {LapDevice[][]} */
    const rooms = [];
    for (let i = 0; i < Math.max(1, single.length); i++) rooms.push(await browsers.room());
    /** @type {Measured[]} */
    const all = [];
    const measure = async (
      /** @type {LapDevice[]} */ room,
      /** @type {Shape} */ shape,
      /** @type {number} */ oneWayMs,
      /** @type {() => number} */ limitMs,
    ) => {
      for (const count of counts) {
        const options = { ...choose.laps(shape), oneWayMs, limitMs: limitMs() };
        const measured = await measureAgain(room.slice(0, count), options, log);
        log(lineOf(measured));
        all.push(measured);
      }
    };
    const anyTime = () => Number.POSITIVE_INFINITY;
    const share = () => Math.min(MOST_MS, (end - performance.now()) / left--);
    for (const oneWayMs of delays) {
      await network.setDelay(oneWayMs);
      const one = /** @type {LapDevice[]} */ (rooms[0]);
      if (oneWayMs >= TOGETHER_ONE_WAY_MS) {
        await Promise.all(single.map((shape, i) => measure(rooms[i] ?? one, shape, oneWayMs, anyTime)));
      } else for (const shape of single) await measure(one, shape, oneWayMs, anyTime);
      log(`The network, ${oneWayMs} ms: ${JSON.stringify(await network.late())}`);
    }
    for (const oneWayMs of delays) {
      await network.setDelay(oneWayMs);
      for (const shape of many) await measure(/** @type {LapDevice[]} */ (rooms[0]), shape, oneWayMs, share);
      log(`The network, ${oneWayMs} ms: ${JSON.stringify(await network.late())}`);
    }
    return {
      ...worstOf(all.filter(({ oneWayMs }) => oneWayMs >= LEAST_ONE_WAY_MS)),
      withoutDelay: worstOf(all.filter(({ oneWayMs }) => oneWayMs === 0)),
      readbackMs: await measureReadbacks(/** @type {LapDevice} */ (rooms[0]?.[0]), [...single, ...many]),
      measured: all,
    };
  } finally {
    await browsers?.close();
    await network.close();
    await server?.close();
    await close();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * For trials: `--delay 5,20 --rows 1 --hidden 576 --devices 2 --laps 20` measures that much only.
 * @param {readonly string[]} args
 */
function chooser(args) {
  /** @param {string} name */
  const given = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined)?.split(',').map(Number);
  /** @param {string} name @param {number} value */
  const allows = (name, value) => given(name)?.includes(value) ?? true;
  return {
    shape: (/** @type {Shape} */ { hiddenSize, rows }) => allows('--hidden', hiddenSize) && allows('--rows', rows),
    devices: (/** @type {number[]} */ all) => all.filter((count) => allows('--devices', count)),
    oneWayMs: (/** @type {number[]} */ all) => all.filter((ms) => allows('--delay', ms)),
    laps: (/** @type {Shape} */ shape) => ({ ...shape, laps: given('--laps')?.[0] ?? shape.laps }),
  };
}

/**
 * @param {LapDevice[]} devices
 * @param {Parameters<typeof measureShape>[1]} options
 * @param {(line: string) => void} log
 */
async function measureAgain(devices, options, log) {
  for (let i = 0; i < TRIES; i++) {
    const measured = await measureShape(devices, options);
    if (measured !== undefined) return measured;
    log('A link was lost.');
  }
  throw new Error('Links are lost again and again: nothing can be measured on a machine that is so busy.');
}

/**
 * @param {LapDevice[]} devices
 * @param {Shape & { oneWayMs: number, limitMs: number }} options
 * @returns {Promise<Measured | undefined>} undefined where the laps began anew because a link was lost
 */
async function measureShape(devices, { hiddenSize, rows, laps, pilot, oneWayMs, limitMs }) {
  const model = `lap ${hiddenSize} ${devices.length} ${STAGE_WAIT_MS}`;
  const bytes = hiddenSize * rows * STATE_BYTES;
  const driver = /** @type {LapDevice} */ (devices[0]);
  await driver.call(
    'place',
    model,
    devices.map(({ id }) => id),
  );
  for (const [i, device] of devices.entries()) {
    await device.call('arm', { rows, bytes, pilot, next: devices[i + 1]?.id });
  }
  const ends = await driver.call('laps', model, randomBytes(8).toString('hex'), {
    rows,
    count: pilot + laps,
    least: pilot + Math.min(laps, LEAST_LAPS),
    limitMs,
  });
  /** @type {(readonly Visit[])[]} */
  const stages = [];
  for (const device of devices) stages.push(await device.call('visits'));
  const hops = stages.slice(0, -1);
  // the last token may begin another lap, which is stopped
  const isWhole = stages.every((visits) => visits.length - ends.length <= 1 && visits.length >= ends.length);
  if (!isWhole || hops.some((visits) => visits.some(({ ping }) => ping === undefined))) return undefined;
  /** @type {number[]} */
  const lapMs = [];
  /** @type {number[]} */
  const pingPongMs = [];
  for (let i = pilot; i < ends.length; i++) {
    const visits = stages.map((all) => /** @type {Visit} */ (all[i]));
    const [first, ...others] = visits;
    const measuringMs = others.reduce((sum, visit) => sum + visit.measuringMs, 0);
    const wholeMs = /** @type {number} */ (ends[i]) - (first?.beginMs ?? 0);
    lapMs.push(wholeMs - measuringMs - STAGE_WAIT_MS * devices.length);
    pingPongMs.push(visits.reduce((sum, { ping }) => sum + (ping?.ms ?? 0), 0));
  }
  return {
    hiddenSize,
    rows,
    oneWayMs,
    devices: devices.length,
    laps: lapMs.length,
    lapMs: round(quantile(lapMs, 0.5)),
    pingPongMs: round(quantile(pingPongMs, 0.5)),
    lapP95Ms: round(quantile(lapMs, 0.95)),
    pingPongP95Ms: round(quantile(pingPongMs, 0.95)),
    ratio: round(quantile(lapMs, 0.5) / quantile(pingPongMs, 0.5)),
    ratioP95: round(quantile(lapMs, 0.95) / quantile(pingPongMs, 0.95)),
    ways: hops.map((visits) => visits.at(-1)?.ping?.way).join(', '),
  };
}

/**
 * What reading a real stage's states from the GPU would add to each of its laps.
 * @param {LapDevice} device @param {Shape[]} shapes
 */
async function measureReadbacks(device, shapes) {
  /** @type {Record<string, number | undefined>} */
  const medians = {};
  for (const { hiddenSize, rows } of shapes) {
    const times = await device.call('readbacks', hiddenSize, rows, READBACKS);
    medians[`${rows} x ${hiddenSize}`] = times && round(quantile(times, 0.5));
  }
  return medians;
}

/**
 * One message over one connection and over several, in slices; the network's rate is that of the browser.
 * @param {{
 *   browsers: Awaited<ReturnType<typeof openBrowsers>>,
 *   network: ReturnType<typeof startNetwork>,
 *   choose: ReturnType<typeof chooser>,
 *   log: (line: string) => void,
 * }} options
 */
async function measureStripes({ browsers, network, choose, log }) {
  const { connections, rounds, warm } = STRIPES;
  const [one, other] = await browsers.room();
  if (!one || !other) throw new Error('A message needs two devices.');
  const ping = await openStripes(one, other, Math.max(...connections));
  const stripes = [];
  for (const oneWayMs of choose.oneWayMs(ONE_WAY_MS)) {
    await network.setDelay(oneWayMs);
    for (const bytes of STRIPES.bytes) {
      /** @type {Map<number, number[]>} */
      const times = new Map(connections.map((count) => [count, []]));
      for (let i = 0; i < warm + rounds; i++) {
        for (const [count, all] of times) {
          const ms = await ping(bytes, count);
          if (i >= warm) all.push(ms);
        }
      }
      for (const [count, all] of times) {
        const medianMs = round(quantile(all, 0.5));
        const p95Ms = round(quantile(all, 0.95));
        log(`${oneWayMs} ms, ${bytes / 1024} KiB over ${count}: ${medianMs} ms, p95 ${p95Ms}`);
        stripes.push({ oneWayMs, bytes, connections: count, medianMs, p95Ms });
      }
    }
  }
  return { stripes };
}

/** @param {Measured[]} measured */
function worstOf(measured) {
  return {
    overheadOverPingPong: Math.max(...measured.map(({ ratio }) => ratio)),
    overheadP95: Math.max(...measured.map(({ ratioP95 }) => ratioP95)),
  };
}

/** @param {Measured} measured */
function lineOf({ hiddenSize, rows, oneWayMs, devices, ways, ...figures }) {
  const { laps, lapMs, pingPongMs, lapP95Ms, pingPongP95Ms, ratio, ratioP95 } = figures;
  return (
    `${oneWayMs} ms, ${rows} x ${hiddenSize}, ${devices} devices: ${lapMs} over ${pingPongMs} ms = ${ratio}; ` +
    `p95 ${lapP95Ms} over ${pingPongP95Ms} = ${ratioP95} (${laps} laps; ${ways})`
  );
}

/** By nearest rank. @param {readonly number[]} values @param {number} share */
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}
