import type { Effect, Input, ModelSizes, RoomOptions, SessionHead } from '../../worker/mesh/room/io.ts';
import { RoomNode } from '../../worker/mesh/room/node.ts';
import type { DeviceProfile } from '../../worker/mesh/types.ts';
import type { Constants } from './constants.ts';
import { Executor } from './executor.ts';
import { Random } from './random.ts';
import { numbersAsRows } from './stand-in.ts';

export type SimInput = Input<number[]>;
export type SimEffect = Effect<number[]>;
export type SimNode = RoomNode<number[]>;

/** What outlives a page: a session's tokens and the little beside them. */
export interface DiskSession {
  head: SessionHead;
  tokens: number[];
}

/** A fault planted from outside, into each node as it is made. */
export type Plant = (node: SimNode, device: SimDevice) => void;

/** A device: its page while it runs, its engine, its disk. */
export class SimDevice {
  readonly index: number;
  readonly drives: boolean;
  readonly profile: DeviceProfile;
  readonly disk = new Map<string, DiskSession>();
  id: string;
  /** Rises when the page ends: events of an earlier life are void. */
  life = 0;
  isUp = false;
  /** Sleeps or is frozen: what happens to it waits. */
  isPaused = false;
  /** Its page is hidden, said goodbye, and runs on. */
  isHidden = false;
  /** In a partition, of whichever kind. */
  isCutOff = false;
  /** Since when nothing was wrong with it, virtual ms. */
  undisturbedSinceMs = 0;
  /** Virtual time that its monotonic clock did not count. */
  skippedMs = 0;
  node: SimNode | undefined;
  executor: Executor;
  /** Loads under way, by stage; a load that was cancelled is not there. */
  readonly loads = new Map<string, number>();
  nextLoad = 1;
  #incarnation = 0;
  #generation = 0;
  readonly #stepMs: number;
  readonly #random: Random;
  readonly #constants: Constants;

  constructor(index: number, constants: Constants, random: Random) {
    this.index = index;
    this.#constants = constants;
    this.#random = new Random(constants.seed, 1000 + index);
    this.id = this.#newId();
    const visits = constants.visitorEvery > 0 && index % constants.visitorEvery === constants.visitorEvery - 1;
    this.drives = !visits;
    const isPhone = constants.devices > 8 && random.chance(constants.phoneChance);
    // evenly spread, so that a seed does not draw a room of small devices only
    const [least, most] = constants.budgetLayers;
    const spread = ((index * 7) % constants.devices) / Math.max(1, constants.devices - 1);
    const layers = (least + (most - least) * spread) * (isPhone ? 0.5 : 1);
    this.profile = {
      compute: true,
      budgetBytes: Math.floor(layers * constants.bytesALayer),
      storage: 'f32',
      platform: isPhone ? 'iphone' : 'linux',
    };
    this.#stepMs = random.between(...constants.stepMs);
    this.executor = new Executor(constants, this.#stepMs);
  }

  /** The page loads. */
  boot(models: ModelSizes, plant: Plant | undefined): SimNode {
    if (!this.drives && this.life > 0) {
      this.id = this.#newId();
      this.#incarnation = 0;
    }
    this.#incarnation++;
    this.executor = new Executor(this.#constants, this.#stepMs);
    const options: RoomOptions<number[]> = {
      device: this.id,
      incarnation: this.#incarnation,
      address: `${this.id}-${this.#incarnation}`,
      name: `device ${this.index}`,
      version: { app: '0', wire: 1 },
      profile: this.profile,
      retainedBytes: this.#constants.retainedBytes,
      payloads: numbersAsRows(this.#constants.bytesARow),
      models,
      isMember: () => true,
      random: this.#random.unit,
    };
    this.node = new RoomNode(options);
    plant?.(this.node, this);
    this.isUp = true;
    return this.node;
  }

  /** The page ends, with or without a word. */
  end(): void {
    this.life++;
    this.isUp = false;
    this.isPaused = false;
    this.isHidden = false;
    this.node = undefined;
    this.loads.clear();
  }

  /** Whether it answers what comes. */
  get listens(): boolean {
    return this.isUp && !this.isPaused;
  }

  /** Whether it takes part. */
  get runs(): boolean {
    return this.listens && !this.isHidden;
  }

  #newId(): string {
    // as long as ids of devices are, and of their letters
    const id = `d${this.index}g${this.#generation++}-${this.#random.hex(14)}`.padEnd(22, 'A');
    // as a key it is kept once only, and two of them are compared as numbers are
    return Object.keys({ [id]: 0 })[0] as string;
  }
}
