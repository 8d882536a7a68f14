/** Behaves like the worker's room towards the page: devices come in, load and answer by themselves; nothing is computed. */
import type {
  GenerateEvent,
  LayersByHand,
  ModelSource,
  RoomApi,
  RoomDevice,
  RoomLine,
  RoomModelView,
  RoomStage,
  RoomView,
} from '../../worker/api.ts';
import { MemoryError, PersonError } from '../../worker/errors.ts';
import type { SHAPES } from './catalogue.ts';
import type { Scenario } from './scenario.ts';

type Shape = (typeof SHAPES)[number];

const SELF = 'self';
const INVITE = 'AWq3rT8zK1mB6yV0cN5xE2hJ7dL4sPf9uGoQiRnZtYbC1w';
const TICK_MS = 60;
const STEP_MS = 250;
/** What a device is said to have room for, by hand. */
const MOST_LAYERS = 20;

const own: RoomDevice = {
  ...{ device: SELF, name: 'MacBook Air', own: true, presence: 'here', platform: 'mac', compute: true },
  ...{ budgetBytes: 4.2e9, freeBytes: 4.2e9 },
};
const OTHERS: readonly RoomDevice[] = [
  {
    ...{ device: 'kitchen', name: 'Kitchen iPad', own: false, presence: 'here', platform: 'ipad', compute: true },
    ...{ budgetBytes: 1.4e9, freeBytes: 1.4e9 },
  },
  {
    ...{ device: 'thinkpad', name: 'ThinkPad', own: false, presence: 'here', platform: 'windows', compute: true },
    ...{ budgetBytes: 2.9e9, freeBytes: 2.9e9 },
  },
];
const MORE: readonly RoomDevice[] = [
  {
    ...{ device: 'mira', name: 'Mira’s iPhone', own: false, presence: 'away', platform: 'iphone', compute: true },
    ...{ budgetBytes: 0.9e9, freeBytes: 0.9e9 },
  },
  {
    ...{ device: 'old', name: 'Old laptop', own: false, presence: 'here', platform: 'linux', compute: false },
    ...{ budgetBytes: 0, freeBytes: 0 },
  },
];
const ASKING = { device: 'pixel', name: 'Tom’s Pixel' };

export class StandInRoom implements RoomApi {
  readonly #scenario: Scenario;
  readonly #shapeOf: (source: ModelSource) => Shape;
  #onRoom: (room: RoomView | undefined, removed: boolean) => void = () => {};
  #view: RoomView | undefined;
  #joins = 0;
  #loading: ReturnType<typeof setInterval> | undefined;

  constructor(scenario: Scenario, shapeOf: (source: ModelSource) => Shape) {
    this.#scenario = scenario;
    this.#shapeOf = shapeOf;
  }

  begin(onRoom: (room: RoomView | undefined, removed: boolean) => void): void {
    this.#onRoom = onRoom;
  }

  room = async () => this.#view;

  async makeRoom(name: string, askFirst: boolean): Promise<RoomView> {
    return this.#set({ ...inside([{ ...own, name }]), askFirst });
  }

  async joinRoom(invite: string, name: string): Promise<RoomView> {
    if (!invite.includes('#/join/')) {
      throw new PersonError('This is not a Shoal invite. An invite is a link that contains “#/join/”.');
    }
    this.#joins += 1;
    const join = this.#joins;
    const view = this.#set(outside('joining'));
    setTimeout(() => join === this.#joins && this.#set(outside('asking')), STEP_MS);
    setTimeout(() => {
      if (join !== this.#joins || this.#view === undefined) return;
      const { refused } = this.#scenario;
      // the second try comes through
      if (refused !== 'none' && join === 1) this.#set({ ...outside('joining'), refused });
      else this.#set(inside([{ ...own, name }, ...OTHERS]));
    }, 4 * STEP_MS);
    return view;
  }

  async returnToRoom(): Promise<RoomView | undefined> {
    const view = this.#opened();
    if (view) this.#set(view);
    const { removedAfter } = this.#scenario;
    if (view && removedAfter > 0) {
      setTimeout(() => {
        this.#view = undefined;
        this.#onRoom(undefined, true);
      }, removedAfter);
    }
    return this.#view;
  }

  async leaveRoom(): Promise<void> {
    clearInterval(this.#loading);
    this.#view = undefined;
    this.#onRoom(undefined, false);
  }

  async setAskFirst(askFirst: boolean): Promise<void> {
    this.#change((view) => ({ ...view, askFirst }));
  }

  async answerAsking(device: string, allow: boolean): Promise<void> {
    this.#change((view) => {
      const asked = view.asking.find((one) => one.device === device);
      const joined: RoomDevice[] =
        asked && allow
          ? [{ ...own, ...asked, own: false, presence: 'joining', platform: 'other', compute: false }]
          : [];
      return {
        ...view,
        asking: view.asking.filter((one) => one.device !== device),
        devices: [...view.devices, ...joined],
      };
    });
  }

  async removeDevice(device: string): Promise<void> {
    this.#change((view) => ({ ...view, devices: view.devices.filter((one) => one.device !== device) }));
  }

  async placeInRoom(source: ModelSource, contextTokens: number): Promise<void> {
    const view = this.#view;
    const shape = this.#shapeOf(source);
    if (view?.phase !== 'in') throw new PersonError('This device is not in the room yet.');
    const computing = view.devices.filter(({ compute, presence }) => compute && presence === 'here');
    const room = computing.reduce((sum, { freeBytes }) => sum + freeBytes, 0);
    if (shape.bytes * 1.1 > room) {
      const missing = ((shape.bytes * 1.1 - room) / 1e9).toFixed(2);
      throw new MemoryError(
        `The room's devices lack ${missing} GB for this model. Invite another device, or choose a smaller model.`,
      );
    }
    const model = modelOver(shape, computing, contextTokens);
    this.#change((before) => ({ ...before, models: [model] }));
    this.#load();
  }

  /** Over the devices that are here. */
  #evenly(model: string): LayersByHand {
    const layers = this.#view?.models.find((one) => one.model === model)?.layers ?? 0;
    const here = this.#view?.devices.filter(({ compute, presence }) => compute && presence === 'here') ?? [];
    const share = Math.floor(layers / here.length);
    return here.map(({ device }, i) => ({ device, layers: i === 0 ? layers - share * (here.length - 1) : share }));
  }

  async layOut(model: string, byHand = this.#evenly(model)): Promise<void> {
    const before = this.#view?.models.find((one) => one.model === model);
    if (before === undefined) throw new PersonError('The room has no such model.');
    const total = before.stages.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
    const layers = before.layers ?? 0;
    let first = 0;
    const stages: RoomStage[] = [];
    for (const { device, layers: count } of byHand) {
      const last = first + count;
      const bytes = (total * count) / layers;
      if (count > MOST_LAYERS) {
        const { name = '' } = this.#view?.devices.find((one) => one.device === device) ?? {};
        throw new MemoryError(`${name} has 0.05 GB free. Give it ${MOST_LAYERS} at most.`);
      }
      if (count > 0) stages.push({ device, first, last, phase: 'loading', doneBytes: 0, totalBytes: bytes });
      first = last;
    }
    this.#change((view) => ({
      ...view,
      models: view.models.map((one) => (one === before ? { ...one, stages, phase: 'loading' } : one)),
    }));
    this.#load();
  }

  /** The model that would answer, and for how many. */
  get model(): RoomModelView | undefined {
    return this.#view?.models[0];
  }

  /** What the room says of an answer, once so many tokens are written; resolves when the answer may go on. */
  async live(onEvent: (event: GenerateEvent) => void): Promise<void> {
    const { roomFault, hold } = this.#scenario;
    const tell = async (line: RoomLine) => {
      onEvent({ kind: 'room', line });
      await new Promise((resolve) => setTimeout(resolve, line.kind === 'resumed' ? 0 : hold));
    };
    if (roomFault === 'silent' || roomFault === 'moved') await tell({ kind: 'suspected', device: 'Kitchen iPad' });
    if (roomFault === 'moved')
      await tell({ kind: 'moved', gone: ['Kitchen iPad'], devices: ['MacBook Air', 'ThinkPad'] });
    if (roomFault === 'waiting') await tell({ kind: 'waiting', reason: 'loading' });
    if (roomFault === 'paused') await tell({ kind: 'paused', missingBytes: 1.2e9 });
    if (roomFault !== 'none') await tell({ kind: 'resumed' });
  }

  #opened(): RoomView | undefined {
    const { room } = this.#scenario;
    const shape = this.#shapeOf({ kind: 'stored', key: 'smollm2-135m' });
    const three = inside([own, ...OTHERS]);
    const model = (phase: RoomStage['phase']) => modelOver(shape, three.devices, 4096, phase);
    switch (room) {
      case 'none':
        return undefined;
      case 'alone':
        return inside([own]);
      case 'three':
        return three;
      case 'joining':
      case 'asking':
        return outside(room);
      case 'loading':
        return withTaken({ ...three, models: [model('loading')] });
      case 'ready':
        return withTaken({ ...three, models: [model('ready')] });
      case 'busy':
        return withTaken({
          ...inside([own, ...OTHERS, ...MORE]),
          models: [{ ...model('ready'), answers: 2, coming: model('loading').stages.slice(0, 2) }],
          asking: [ASKING],
          trouble: 'SmolLM2-135M.gguf could not be read from the server for a moment. It is tried again.',
        });
      case 'broken':
        return withTaken({
          ...three,
          devices: three.devices.map((one) => (one.device === 'kitchen' ? { ...one, presence: 'away' } : one)),
          models: [interrupted(model('ready'))],
        });
      default:
        return room satisfies never;
    }
  }

  #set(view: RoomView): RoomView {
    this.#view = view;
    this.#onRoom(view, false);
    return view;
  }

  #change(change: (view: RoomView) => RoomView): void {
    if (this.#view) this.#set(change(this.#view));
  }

  /** Every device loads at the same rate. */
  #load(): void {
    clearInterval(this.#loading);
    const step = (this.#scenario.downloadRate * TICK_MS) / 1000;
    this.#loading = setInterval(() => {
      this.#change((view) => ({ ...view, models: view.models.map((model) => grown(model, step)) }));
      if (this.model?.phase === 'ready') {
        clearInterval(this.#loading);
        this.#change(withTaken);
      }
    }, TICK_MS);
  }
}

function inside(devices: readonly RoomDevice[]): RoomView {
  return {
    ...{ phase: 'in', directory: 'directory', invite: INVITE, self: SELF, slot: 0, askFirst: true },
    ...{ devices, asking: [], models: [] },
  };
}

function outside(phase: 'joining' | 'asking'): RoomView {
  return { phase, directory: 'directory', self: '', askFirst: true, devices: [], asking: [], models: [] };
}

function modelOver(
  shape: Shape,
  devices: readonly RoomDevice[],
  contextTokens: number,
  phase: RoomStage['phase'] = 'waiting',
): RoomModelView {
  const room = devices.reduce((sum, { budgetBytes }) => sum + budgetBytes, 0);
  let first = 0;
  const stages = devices.map((device, i): RoomStage => {
    const share = Math.max(1, Math.round((device.budgetBytes / room) * shape.layers));
    const last = i === devices.length - 1 ? shape.layers : Math.min(shape.layers, first + share);
    const totalBytes = Math.round((shape.bytes * (last - first)) / shape.layers);
    const done = phase === 'ready' ? 1 : phase === 'loading' ? ([0.7, 0.35, 1][i % 3] ?? 1) : 0;
    const stage = { device: device.device, first, last, totalBytes, doneBytes: Math.round(totalBytes * done) };
    first = last;
    return { ...stage, phase: done === 1 ? 'ready' : phase };
  });
  const { name, layers } = shape;
  const ready = phase === 'ready';
  return {
    ...{ model: shape.id, name, layers, contextTokens, answers: 0 },
    phase: ready ? 'ready' : 'loading',
    ...(phase === 'loading' ? { bytesPerSecond: 3.2e6, secondsLeft: 12 } : {}),
    stages,
  };
}

function grown(model: RoomModelView, bytes: number): RoomModelView {
  const stages = model.stages.map((stage): RoomStage => {
    const doneBytes = Math.min(stage.totalBytes, stage.doneBytes + bytes);
    return { ...stage, doneBytes, phase: doneBytes === stage.totalBytes ? 'ready' : 'loading' };
  });
  return { ...model, stages, phase: stages.every(({ phase }) => phase === 'ready') ? 'ready' : 'loading' };
}

function interrupted(model: RoomModelView): RoomModelView {
  const stages = model.stages.map((stage) =>
    stage.device === 'kitchen' ? { ...stage, phase: 'away' as const } : stage,
  );
  return { ...model, phase: 'interrupted', stages };
}

/** What the layers take of the devices that hold them. */
function withTaken(view: RoomView): RoomView {
  const devices = view.devices.map((device) => {
    const stages = view.models.flatMap((model) => model.stages.filter((stage) => stage.device === device.device));
    const taken = stages.reduce((sum, { totalBytes }) => sum + totalBytes * 1.2, 0);
    return { ...device, freeBytes: device.budgetBytes - taken };
  });
  return { ...view, devices };
}
