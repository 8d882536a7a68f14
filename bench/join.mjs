// @ts-check
// How soon a device that opens the app with an invite is in the room.
import { RoomDevice } from '../tests/setup/room-device.mjs';
import { loadTs } from '../tests/setup/run-ts.mjs';

export const about = 'seconds from opening the app to being a member of a room with open links';
export const needs = /** @type {const} */ (['chromium']);

const JOINS = 10;
const JOIN_TIMEOUT_MS = 60_000;

/**
 * A member waits in a Chromium process of its own; another Chromium runs and has never seen the app. Time counts from
 * the navigation to the app, in a context whose cache is empty, until that device has the signed roster and sees the
 * member over an open link. The room asks before a device joins, and the member allows as soon as its page says so.
 * @param {import('./run.mjs').BenchOptions} options
 */
export async function run({ log, chromium }) {
  if (!chromium) throw new Error('The room is measured in Chromium.');
  const { module, close } = await loadTs('tests/setup/app-server.ts');
  /** @type {import('../signaling/server.ts').RunningServer} */
  const server = await module.startApp();
  /** @type {RoomDevice[]} */
  const devices = [];
  try {
    const options = { chromium, origin: server.origin, onTrouble: log };
    const member = await RoomDevice.open({ ...options, name: 'member' });
    devices.push(member);
    await member.makeRoom(true);
    await member.page.evaluate(allowAtOnce);
    const newcomer = await RoomDevice.start({ ...options, name: 'newcomer' });
    devices.push(newcomer);
    /** @type {number[]} */
    const seconds = [];
    for (let i = 0; i < JOINS; i++) {
      const taken = await joinOnce(newcomer, await member.invite(), `device ${i}`);
      log(`joined in ${taken.toFixed(2)} s`);
      seconds.push(taken);
    }
    const sorted = seconds.sort((a, b) => a - b);
    const [low = 0, high = 0] = sorted.slice(JOINS / 2 - 1, JOINS / 2 + 1);
    return { secondsToRoom: round((low + high) / 2), worstSeconds: round(sorted.at(-1) ?? 0), joins: sorted.length };
  } finally {
    for (const device of devices) await device.close();
    await server.close();
    await close();
  }
}

/**
 * @param {RoomDevice} newcomer
 * @param {string} invite
 * @param {string} name
 */
async function joinOnce({ browser, options }, invite, name) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    // the page joins by itself, as soon as it takes orders: nothing is asked of it from outside meanwhile
    await page.addInitScript(joinAtOnce, { link: invite, name });
    await page.goto(`${options.origin}/?test-hooks`, { waitUntil: 'commit' });
    const joined = await page.waitForFunction(() => /** @type {any} */ (globalThis).joinedMs, undefined, {
      timeout: JOIN_TIMEOUT_MS,
      polling: 100,
    });
    return Number(await joined.jsonValue()) / 1000;
  } finally {
    await context.close();
  }
}

/**
 * Runs in the page. `performance.now()` counts from the navigation.
 * @param {{ link: string, name: string }} options
 */
function joinAtOnce({ link, name }) {
  const global = /** @type {any} */ (globalThis);
  const waiting = setInterval(() => {
    const { app } = global.shoalTest ?? {};
    if (!app?.settled.value) return;
    clearInterval(waiting);
    app.room.join(link, name);
    app.room.view.subscribe(() => {
      const view = app.room.view.value;
      const isLinked = app.room.connecting.value?.connections.some(
        (/** @type {any} */ { state }) => state === 'linked',
      );
      const isMember =
        view?.phase === 'in' && view.devices.some((/** @type {any} */ each) => !each.own && each.presence === 'here');
      if (isMember && isLinked) global.joinedMs ??= performance.now();
    });
  }, 20);
}

/** Runs in the member's page. */
function allowAtOnce() {
  const { room } = /** @type {any} */ (globalThis).shoalTest.app;
  const allowed = new Set();
  room.view.subscribe(() => {
    for (const { device } of room.asking) {
      if (!allowed.has(device)) void room.answerAsking(device, true);
      allowed.add(device);
    }
  });
}

/** @param {number} seconds */
function round(seconds) {
  return Math.round(seconds * 100) / 100;
}
