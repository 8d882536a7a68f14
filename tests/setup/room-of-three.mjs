// @ts-check
import { isLaid, RoomDevice } from './room-device.mjs';

/** Of the five layers of stories260K. */
const LAYERS = [2, 2, 1];

/**
 * @typedef {object} ThreeOptions
 * @property {{ executablePath: string, args: readonly string[] }} chromium
 * @property {string} origin
 * @property {import('../../worker/api.ts').ModelSource} source a model of five layers
 * @property {number} contextTokens
 * @property {'f16' | 'f32'} wire
 * @property {boolean} driverGpu
 * @property {'ahead' | 'as-needed'} [compile] what of the kernels; as the app does unless given
 * @property {(line: string) => void} [onTrouble]
 */

/** A room of a driver without a stage and three devices that hold a model; devices that were lost are replaced by new ones. */
export class RoomOfThree {
  /** @param {ThreeOptions} options */
  constructor(options) {
    this.options = options;
    /** @type {RoomDevice | undefined} */
    this.ownDriver = undefined;
    /** The first, middle and last stage. @type {RoomDevice[]} */
    this.stages = [];
    this.opened = 0;
  }

  get driver() {
    if (this.ownDriver === undefined) throw new Error('The room has no driver yet.');
    return this.ownDriver;
  }

  /** Opens and lets in who is missing, and lays the model over the three. */
  async complete() {
    const { source, contextTokens, driverGpu } = this.options;
    if (this.ownDriver === undefined || this.ownDriver.isGone) this.ownDriver = await this.#enter('driver', driverGpu);
    const isMissing = (/** @type {number} */ i) => this.stages[i] === undefined || this.stages[i]?.isGone === true;
    await Promise.all(
      [...LAYERS.keys()].filter(isMissing).map(async (i) => {
        this.stages[i] = await this.#enter(`device ${++this.opened}`, true);
      }),
    );
    for (const device of this.devices) await device.sees(this.devices.length);
    const byHand = [];
    for (const [i, layers] of LAYERS.entries()) {
      byHand.push({ device: await /** @type {RoomDevice} */ (this.stages[i]).id(), layers });
    }
    const placed = (await this.driver.view()).models[0];
    if (placed?.phase !== 'ready' || !isLaid(placed, byHand)) await this.driver.place(source, contextTokens, byHand);
  }

  /** Those that are there. */
  get devices() {
    return [this.ownDriver, ...this.stages].flatMap((device) => (device && !device.isGone ? [device] : []));
  }

  async close() {
    for (const device of this.devices) await device.close();
  }

  /**
   * @param {string} name
   * @param {boolean} gpu
   */
  async #enter(name, gpu) {
    const { chromium, origin, wire, compile = 'ahead', onTrouble } = this.options;
    const [host] = this.devices;
    const device = await RoomDevice.open({
      chromium,
      origin,
      name,
      gpu,
      wire,
      compile,
      ...(onTrouble && { onTrouble }),
    });
    if (host === undefined) await device.makeRoom();
    else await device.join(await host.invite());
    return device;
  }
}
