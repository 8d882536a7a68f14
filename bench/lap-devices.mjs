// @ts-check
// Rooms over separate Chromium processes whose stages only wait.
import { chromium as playwright } from '@playwright/test';

const ROOM_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

/**
 * @typedef {import('./pages/lap-worker.ts').LapBench} LapBench
 * @typedef {ReturnType<typeof import('./lap-network.mjs').startNetwork>} Network
 */

/**
 * Chromium processes, each of which may be a device of several rooms.
 * @param {{
 *   chromium: { executablePath: string, args: readonly string[] },
 *   origin: string,
 *   network: Network,
 *   count: number,
 *   log: (line: string) => void,
 * }} options
 */
export async function openBrowsers({ chromium, origin, network, count, log }) {
  // on loopback alone: no packet leaves the machine
  const args = [...chromium.args, '--allow-loopback-in-peer-connection'];
  /** @type {import('@playwright/test').Browser[]} */
  const browsers = [];
  for (let i = 0; i < count; i++) {
    browsers.push(await playwright.launch({ executablePath: chromium.executablePath, args }));
  }
  return {
    /** A room with one device in each browser. @returns {Promise<LapDevice[]>} */
    async room() {
      const devices = [];
      /** @type {(error: Error) => void} */
      let fail = () => {};
      /** A worker that did not start would answer nothing. @type {Promise<never>} */
      const failed = new Promise((_, reject) => {
        fail = reject;
      });
      for (const [i, browser] of browsers.entries()) {
        // without a permission for the microphone candidates have names instead of addresses
        const context = await browser.newContext({ permissions: ['microphone'] });
        const page = await context.newPage();
        page.on('pageerror', (error) => {
          log(`device ${i}: ${error.message}`);
          fail(error);
        });
        await page.exposeFunction('lapOwn', (/** @type {number} */ port) => network.own(port, `browser ${i}`));
        await page.exposeFunction('lapWayTo', (/** @type {number} */ port) => network.wayTo(port));
        await page.goto(`${origin}/lap.html`);
        await page.waitForFunction('globalThis.lap');
        devices.push(new LapDevice(page, `device ${i}`));
      }
      await Promise.race([formRoom(devices), failed]);
      failed.catch(() => {}); // from now on what fails is seen in what is measured
      return devices;
    },
    async close() {
      for (const browser of browsers) await browser.close();
    },
  };
}

export class LapDevice {
  /** @param {import('@playwright/test').Page} page @param {string} name */
  constructor(page, name) {
    this.page = page;
    this.name = name;
    this.id = '';
  }

  /**
   * @template {keyof LapBench} Name
   * @param {Name} name
   * @param {Parameters<LapBench[Name]>} parameters
   * @returns {Promise<Awaited<ReturnType<LapBench[Name]>>>}
   */
  call(name, ...parameters) {
    return this.page.evaluate(
      ([what, given]) => /** @type {any} */ (globalThis).lap.worker[what](...given),
      /** @type {const} */ ([name, parameters]),
    );
  }

  /** @param {string} directory of the room */
  async enter(directory) {
    await this.page.evaluate((name) => /** @type {any} */ (globalThis).lap.enter(name), directory);
  }

  /** Is a member with so many links. @param {number} links */
  async isLinked(links) {
    for (const end = Date.now() + ROOM_TIMEOUT_MS; ; ) {
      const state = await this.call('state');
      this.id = state.device;
      if (state.isMember && state.links.length === links) return;
      if (Date.now() > end) throw new Error(`${this.name} is not in the room: ${JSON.stringify(state)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/**
 * Opens so many connections more between two devices, for one message over several of them.
 * @param {LapDevice} one @param {LapDevice} other @param {number} count
 */
export async function openStripes(one, other, count) {
  /** @param {LapDevice} device @param {string} name @param {unknown[]} parameters @returns {Promise<any>} */
  const call = ({ page }, name, ...parameters) =>
    page.evaluate(
      ([what, given]) => /** @type {any} */ (globalThis).lap.stripes[what](...given),
      /** @type {const} */ ([name, parameters]),
    );
  for (let i = 0; i < count; i++) {
    const offer = await call(one, 'describe');
    const answer = await call(other, 'describe', offer.description);
    await call(one, 'complete', answer.description, answer.candidates);
    await call(other, 'complete', undefined, offer.candidates);
  }
  for (const { page } of [one, other]) {
    await page.waitForFunction(() => /** @type {any} */ (globalThis).lap.stripes.isOpen);
  }
  return (/** @type {number} */ bytes, /** @type {number} */ over) =>
    /** @type {Promise<number>} */ (call(one, 'ping', bytes, over));
}

/** @param {readonly LapDevice[]} devices */
async function formRoom(devices) {
  const [first, ...others] = devices;
  if (first === undefined) return;
  const { secret, inviteKey, directory } = await first.call('make', first.name);
  await first.enter(directory);
  for (const device of others) {
    await device.call('join', device.name, secret, inviteKey);
    await device.enter(directory);
  }
  for (const device of devices) await device.isLinked(devices.length - 1);
}
