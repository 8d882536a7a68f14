// @ts-check
import { chromium as playwright } from '@playwright/test';
import { GREEDY } from './greedy.mjs';

const OPEN_TIMEOUT_MS = 120_000;
const JOIN_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 90_000;
const POLL_MS = 50;
const WORKER_SCRIPT = /\/assets\/main-[^/]+\.js$/;

/**
 * @typedef {import('../../worker/api.ts').RoomView} RoomView
 * @typedef {import('../../worker/api.ts').RoomModelView} RoomModelView
 * @typedef {import('../../worker/api.ts').RoomLine} RoomLine
 * @typedef {import('../../worker/api.ts').GenerateResult} GenerateResult
 * @typedef {import('../../worker/api.ts').ModelSource} ModelSource
 *
 * @typedef {object} DeviceOptions
 * @property {{ executablePath: string, args: readonly string[] }} chromium
 * @property {string} origin of the app
 * @property {string} name
 * @property {'f16' | 'f32'} [wire] how hidden states leave it; f16 unless given
 * @property {boolean} [gpu] false: a browser without WebGPU
 * @property {'ahead' | 'as-needed'} [compile] what of the kernels; as the app does unless given
 * @property {string} [query] more of the page's address, such as `ice=relay`
 * @property {readonly string[]} [args] more of the browser's command line
 * @property {readonly string[]} [permissions] that the page has
 * @property {string} [pagePrelude] a script that the page runs first
 * @property {string} [workerPrelude] a script that the app's worker runs first
 * @property {(line: string) => void} [onTrouble] what the page reports as an error
 *
 * @typedef {{ onProgress?: (model: RoomModelView | undefined) => void, timeoutMs?: number }} PlaceOptions
 * @typedef {{ onProgress?: (state: AnswerState) => void | Promise<void>, timeoutMs?: number }} AnswerOptions
 *
 * @typedef {{ at: number, text: string, tokens: number }} Arrival `at`: ms of wall time
 *
 * What came of an answer so far.
 * @typedef {object} AnswerState
 * @property {string} text
 * @property {number} tokens
 * @property {readonly Arrival[]} arrivals
 * @property {readonly { at: number, done: number, total: number }[]} prefills of the prompt, tokens
 * @property {readonly { at: number, line: RoomLine }[]} lines
 * @property {GenerateResult} [result]
 * @property {string} [error]
 */

/** A Chromium process of its own that has the app open, driven from outside: one device of a room. */
export class RoomDevice {
  /**
   * @param {import('@playwright/test').Browser} browser
   * @param {import('@playwright/test').Page} page
   * @param {number} pid
   * @param {DeviceOptions} options
   */
  constructor(browser, page, pid, options) {
    this.browser = browser;
    this.page = page;
    this.pid = pid;
    this.name = options.name;
    this.options = options;
    this.isGone = false;
  }

  /**
   * Starts the browser and opens the app in it.
   * @param {DeviceOptions} options
   */
  static async open(options) {
    const device = await RoomDevice.start(options);
    await device.visit();
    return device;
  }

  /**
   * Starts the browser alone.
   * @param {DeviceOptions} options
   */
  static async start(options) {
    const { chromium, gpu = true, onTrouble, permissions = [], pagePrelude, workerPrelude } = options;
    const own = options.args ?? [];
    const args = [...chromium.args, ...own, ...(gpu ? [] : ['--disable-features=WebGPU', '--disable-gpu'])];
    const flags = gpu ? args : args.filter((arg) => !/webgpu/.test(arg));
    const browser = await playwright.launch({ executablePath: chromium.executablePath, args: flags });
    try {
      const session = await browser.newBrowserCDPSession();
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      const pid = processInfo.find(({ type }) => type === 'browser')?.id;
      if (pid === undefined) throw new Error('Chromium does not tell its process.');
      // a service worker would give the worker's script past the prelude
      const serviceWorkers = workerPrelude === undefined ? 'allow' : 'block';
      const page = await browser.newPage({ permissions: [...permissions], serviceWorkers });
      if (pagePrelude !== undefined) await page.addInitScript(pagePrelude);
      if (workerPrelude !== undefined) {
        await page.route(WORKER_SCRIPT, async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, body: `${workerPrelude}\n${await response.text()}` });
        });
      }
      page.on('pageerror', (error) => onTrouble?.(`${options.name}: ${error.message}`));
      return new RoomDevice(browser, page, pid, options);
    } catch (error) {
      await browser.close();
      throw error;
    }
  }

  async visit() {
    const { origin, compile = 'ahead', query = '' } = this.options;
    const hooks = compile === 'ahead' ? 'test-hooks' : 'test-hooks=compile-as-needed';
    await this.page.goto(`${origin}/?${hooks}&${query}`);
    await this.isSettled();
  }

  /** The app has read what it kept, and takes orders. */
  async isSettled() {
    await this.page.waitForFunction(() => /** @type {any} */ (globalThis).shoalTest?.app.settled.value, undefined, {
      timeout: OPEN_TIMEOUT_MS,
      polling: POLL_MS,
    });
    if (this.options.wire === 'f32') await this.chooseF32();
  }

  /** Of storage and wire; holds for rooms that are entered from then on, and through reloads. */
  async chooseF32() {
    await this.page.evaluate(async () => {
      const { preferences, device } = /** @type {any} */ (globalThis).shoalTest.app;
      if (preferences.all.value.storage === 'f32') return; // kept by the load before this one
      preferences.change((/** @type {object} */ before) => ({ ...before, hubBaseUrl: '', storage: 'f32' }));
      await device.applySettings();
    });
  }

  /** What the person chose of storage: kept in the browser. @returns {Promise<'auto' | 'f32' | undefined>} */
  async storageChosen() {
    return this.page.evaluate(() => /** @type {any} */ (globalThis).shoalTest.app.preferences.all.value.storage);
  }

  /** @returns {Promise<import('../../worker/api.ts').DeviceReport>} */
  async report() {
    return this.page.evaluate(() => /** @type {any} */ (globalThis).shoalTest.app.device.report.value);
  }

  /** After a reload the app goes back to the room by itself. */
  async reload() {
    await this.page.reload();
    await this.isSettled();
  }

  // ---------- the room ----------

  /** @param {boolean} [askFirst] */
  async makeRoom(askFirst = false) {
    await this.page.evaluate(
      ([name, ask]) => /** @type {any} */ (globalThis).shoalTest.app.room.make(name, ask),
      /** @type {const} */ ([this.name, askFirst]),
    );
    await this.waitForView('has an invite', ({ invite }) => invite !== undefined, JOIN_TIMEOUT_MS);
  }

  /** @returns {Promise<string>} the link of an invite */
  async invite() {
    const { invite } = await this.view();
    if (invite === undefined) throw new Error(`${this.name} has no invite to give.`);
    return `${this.options.origin}/#/join/${invite}`;
  }

  /**
   * Says that it wants to join, and waits for nothing.
   * @param {string} invite
   */
  async askToJoin(invite) {
    await this.page.evaluate(
      ([link, name]) => /** @type {any} */ (globalThis).shoalTest.app.room.join(link, name),
      /** @type {const} */ ([invite, this.name]),
    );
  }

  /** @param {string} invite */
  async join(invite) {
    await this.askToJoin(invite);
    await this.waitForView('is in the room', ({ phase }) => phase === 'in', JOIN_TIMEOUT_MS);
  }

  /** @returns {Promise<RoomView | undefined>} */
  async viewIfAny() {
    return this.page.evaluate(() => /** @type {any} */ (globalThis).shoalTest.app.room.view.value);
  }

  /** @returns {Promise<RoomView>} */
  async view() {
    const view = await this.viewIfAny();
    if (view === undefined) throw new Error(`${this.name} is in no room.`);
    return view;
  }

  /** Its id in the room. */
  async id() {
    return (await this.view()).self;
  }

  /**
   * @param {string} what for the error's message
   * @param {(view: RoomView) => boolean} holds
   * @param {number} [timeoutMs]
   * @returns {Promise<RoomView>}
   */
  async waitForView(what, holds, timeoutMs = READY_TIMEOUT_MS) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const view = await this.viewIfAny();
      if (view !== undefined && holds(view)) return view;
      if (Date.now() > end) throw new Error(`${this.name}: not ${what} after ${timeoutMs} ms: ${JSON.stringify(view)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Sees so many devices that are here, itself among them. @param {number} count */
  async sees(count) {
    return this.waitForView(`with ${count} devices`, ({ devices }) => here(devices) === count, JOIN_TIMEOUT_MS);
  }

  /**
   * Reads a model's header.
   * @param {ModelSource} source
   * @param {number} contextTokens
   * @returns {Promise<import('../../worker/api.ts').ModelSummary>}
   */
  async inspect(source, contextTokens) {
    return this.page.evaluate(
      ([from, context]) => /** @type {any} */ (globalThis).shoalTest.client.inspect(from, context),
      /** @type {const} */ ([source, contextTokens]),
    );
  }

  /**
   * Lays a model over devices and waits until all have their layers.
   * @param {ModelSource} source
   * @param {number} contextTokens
   * @param {readonly { device: string, layers: number }[]} [byHand]
   * @param {PlaceOptions} [options]
   */
  async place(source, contextTokens, byHand, options) {
    await this.propose(source, contextTokens, byHand);
    return this.isPlaced(byHand, options);
  }

  /**
   * As `place`, and waits for nothing.
   * @param {ModelSource} source
   * @param {number} contextTokens
   * @param {readonly { device: string, layers: number }[]} [byHand]
   */
  async propose(source, contextTokens, byHand) {
    await this.page.evaluate(
      ([from, context, hands]) => /** @type {any} */ (globalThis).shoalTest.app.room.place(from, context, hands),
      /** @type {const} */ ([source, contextTokens, byHand]),
    );
  }

  /**
   * Waits until the room's model is ready, laid as said where that is given.
   * @param {readonly { device: string, layers: number }[]} [byHand]
   * @param {PlaceOptions} [options]
   * @returns {Promise<RoomModelView>}
   */
  async isPlaced(byHand, { onProgress = () => {}, timeoutMs = READY_TIMEOUT_MS } = {}) {
    const fits = (/** @type {RoomModelView | undefined} */ model) =>
      model?.phase === 'ready' && (byHand === undefined || isLaid(model, byHand));
    const isReady = (/** @type {RoomView} */ { models: [model], trouble }) => {
      if (trouble !== undefined) throw new Error(`${this.name}: ${trouble}`);
      onProgress(model);
      return fits(model);
    };
    const view = await this.waitForView('with its model ready', isReady, timeoutMs);
    return /** @type {RoomModelView} */ (view.models[0]);
  }

  /**
   * @param {string} device
   * @param {boolean} allow
   */
  async answerAsking(device, allow) {
    await this.page.evaluate(
      ([who, yes]) => /** @type {any} */ (globalThis).shoalTest.app.room.answerAsking(who, yes),
      /** @type {const} */ ([device, allow]),
    );
  }

  /** @param {boolean} askFirst */
  async setAskFirst(askFirst) {
    await this.page.evaluate((ask) => /** @type {any} */ (globalThis).shoalTest.app.room.setAskFirst(ask), askFirst);
  }

  /** @param {string} device */
  async removeDevice(device) {
    await this.page.evaluate((who) => /** @type {any} */ (globalThis).shoalTest.app.room.remove(who), device);
  }

  /** For good. */
  async leaveRoom() {
    await this.page.evaluate(() => /** @type {any} */ (globalThis).shoalTest.app.room.leave());
  }

  /** Whether another member took it out. @returns {Promise<boolean>} */
  async wasRemoved() {
    return this.page.evaluate(() => /** @type {any} */ (globalThis).shoalTest.app.room.removed.value);
  }

  // ---------- answers ----------

  /**
   * Asks, and waits for nothing: `answer` has what came of it.
   * @param {string} id
   * @param {string} text
   * @param {{ maxTokens: number, conversation?: string, turns?: readonly { role: string, content: string }[] }} options
   */
  async ask(id, text, { maxTokens, conversation = id, turns = [{ role: 'user', content: text }] }) {
    await this.page.evaluate(
      (request) => {
        const global = /** @type {any} */ (globalThis);
        const now = () => performance.timeOrigin + performance.now();
        /** @type {any} */
        const state = { arrivals: [], prefills: [], lines: [] };
        global.shoalAnswers ??= {};
        global.shoalAnswers[request.id] = state;
        const onEvent = (/** @type {any} */ event) => {
          if (event.kind === 'room') state.lines.push({ at: now(), line: event.line });
          if (event.kind === 'prefill')
            state.prefills.push({ at: now(), done: event.doneTokens, total: event.totalTokens });
          if (event.kind !== 'text') return;
          const said = event.pieces.map((/** @type {any} */ piece) => piece.text).join('');
          state.arrivals.push({ at: now(), text: said, tokens: event.tokens });
        };
        global.shoalTest.client.generate(request, onEvent).then(
          (/** @type {any} */ result) => {
            state.result = result;
          },
          (/** @type {any} */ error) => {
            state.error = String(error);
          },
        );
      },
      { id, conversation, turns, sampler: GREEDY, maxTokens, stopStrings: [], whenFull: 'ask' },
    );
  }

  /**
   * @param {string} id
   * @returns {Promise<AnswerState>}
   */
  async answer(id) {
    const state = await this.page.evaluate((name) => /** @type {any} */ (globalThis).shoalAnswers?.[name], id);
    if (state === undefined) throw new Error(`${this.name} was not asked ${id}.`);
    const text = state.arrivals.map((/** @type {Arrival} */ { text }) => text).join('');
    const tokens = state.arrivals.reduce(
      (/** @type {number} */ sum, /** @type {Arrival} */ { tokens }) => sum + tokens,
      0,
    );
    return { ...state, text, tokens };
  }

  /**
   * Waits until so many tokens came.
   * @param {string} id
   * @param {number} tokens
   * @param {AnswerOptions} [options]
   */
  async answerHas(id, tokens, options) {
    return this.#answerUntil(id, `${tokens} tokens`, (state) => state.tokens >= tokens, options);
  }

  /**
   * Waits until the first part of the prompt has gone through all devices.
   * @param {string} id
   * @param {AnswerOptions} [options]
   */
  async prefillHasBegun(id, options) {
    const isBegun = (/** @type {AnswerState} */ { prefills }) => prefills.some(({ done }) => done > 0);
    return this.#answerUntil(id, 'a part of its prompt', isBegun, options);
  }

  /**
   * Waits until it is at its end.
   * @param {string} id
   * @param {AnswerOptions} [options]
   */
  async finished(id, options) {
    return this.#answerUntil(id, 'its end', (state) => state.result !== undefined, options);
  }

  /** @param {string} id */
  async stopAnswer(id) {
    await this.page.evaluate((name) => /** @type {any} */ (globalThis).shoalTest.client.stop(name), id);
    return this.finished(id);
  }

  /**
   * What this device answers by itself, in no room.
   * @param {ModelSource} source
   * @param {number} contextTokens
   * @param {string} text
   * @param {number} maxTokens
   */
  async answerAlone(source, contextTokens, text, maxTokens) {
    await this.page.evaluate(
      ([from, context]) => /** @type {any} */ (globalThis).shoalTest.client.load(from, context, () => {}),
      /** @type {const} */ ([source, contextTokens]),
    );
    await this.ask('alone', text, { maxTokens });
    const state = await this.finished('alone');
    await this.page.evaluate(() => /** @type {any} */ (globalThis).shoalTest.client.unload());
    return state;
  }

  /** Its GPU goes away, as by a driver's crash. */
  async destroyDevice() {
    await this.page.evaluate(() => /** @type {any} */ (globalThis).shoalTest.destroyDevice());
  }

  /**
   * @param {string} id
   * @param {string} what
   * @param {(state: AnswerState) => boolean} holds
   * @param {AnswerOptions} [options]
   */
  async #answerUntil(id, what, holds, { timeoutMs = READY_TIMEOUT_MS, onProgress = () => {} } = {}) {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const state = await this.answer(id);
      await onProgress(state);
      if (holds(state)) return state;
      if (state.error !== undefined) throw new Error(`${this.name}: ${state.error}`);
      const isOver = state.result !== undefined;
      if (isOver || Date.now() > end) {
        const { arrivals, ...rest } = state;
        throw new Error(
          `${this.name}: the answer has not ${what}: ${JSON.stringify({ ...rest, view: await this.viewIfAny() })}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  // ---------- the process ----------

  /** Ends the browser and all its processes as a power cut would. @returns {number} when, ms of wall time */
  kill() {
    this.isGone = true;
    const at = Date.now();
    this.#signal('SIGKILL');
    this.browser.close().catch(() => {}); // the connection broke with it
    return at;
  }

  /** Halts every process of it, as a computer that sleeps. */
  freeze() {
    this.#signal('SIGSTOP');
  }

  thaw() {
    this.#signal('SIGCONT');
  }

  async close() {
    if (this.isGone) return;
    this.isGone = true;
    await this.browser.close();
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    // Playwright starts Chromium as the leader of a group that its children belong to; Windows has none
    process.kill(process.platform === 'win32' ? this.pid : -this.pid, signal);
  }
}

/**
 * Whether a model's layers lie on these devices in this way.
 * @param {RoomModelView} model
 * @param {readonly { device: string, layers: number }[]} byHand
 */
export function isLaid({ stages }, byHand) {
  const is = stages.map(({ device, first, last }) => `${device} ${last - first}`).join();
  return is === byHand.map(({ device, layers }) => `${device} ${layers}`).join();
}

/** @param {RoomView['devices']} devices */
function here(devices) {
  return devices.filter(({ presence }) => presence === 'here').length;
}

/**
 * Brings devices into one room, which the first makes with asking off, and waits until each sees all of them.
 * @param {readonly RoomDevice[]} devices
 */
export async function formRoom(devices) {
  const [first, ...others] = devices;
  if (first === undefined) return;
  await first.makeRoom();
  for (const device of others) await device.join(await first.invite());
  for (const device of devices) await device.sees(devices.length);
}
