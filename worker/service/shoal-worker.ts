import type {
  CatalogueEntry,
  DeviceReport,
  GenerateEvent,
  GenerateRequest,
  GenerateResult,
  HostFacts,
  HubRepository,
  LayersByHand,
  LoadEvent,
  LoadedModel,
  ModelSource,
  ModelSummary,
  RoomApi,
  RoomView,
  ServerModel,
  Settings,
  StorageReport,
  WorkerApi,
  WorkerEvent,
} from '../api.ts';
import { CancelledError, type DeviceError, InternalError, PersonError } from '../errors.ts';
import { answer, type ChatModel } from '../generation/chat.ts';
import type { LastAnswer } from '../generation/continued.ts';
import { Engine } from '../generation/engine.ts';
import { Pace } from '../generation/pace.ts';
import type { Gpu } from '../gpu/device.ts';
import type { SlotLocks } from '../mesh/identity/index.ts';
import type { WindowPort } from '../mesh/link/index.ts';
import { KERNEL_SIZES } from '../models/kernel-sizes.ts';
import { readModelSpec } from '../models/spec.ts';
import { fitModel } from '../planner/fit.ts';
import {
  createMemoryLocks,
  createShardStore,
  createUncachedStore,
  type Locks,
  type ShardStore,
} from '../shards/index.ts';
import { createTemplateRenderer, spawnTemplateWorker, type TemplateRenderer } from '../text/index.ts';
import { CATALOGUE, resolveCatalogueEntry } from '../weights/catalogue.ts';
import { catalogueEntry } from './catalogue-fit.ts';
import { DeviceHost } from './device-host.ts';
import { fetchModel } from './fetch-model.ts';
import { grantedLocks } from './granted-locks.ts';
import { type LoadedParts, loadModel, stageShape } from './load-model.ts';
import { LoadingNotes } from './loading-note.ts';
import { type LockQuery, MemoryClaims } from './memory-claims.ts';
import { ModelFiles, type OpenedModel } from './model-files.ts';
import { RoomService } from './room/room-service.ts';
import { RoomShare } from './room/room-share.ts';
import { loadedModel, summarize } from './summary.ts';

interface Started {
  readonly host: HostFacts;
  readonly device: DeviceHost;
  readonly files: ModelFiles;
  readonly store: ShardStore;
  readonly notes: LoadingNotes;
  readonly claims: MemoryClaims;
  readonly room: RoomService;
  readonly onEvent: (event: WorkerEvent) => void;
}

interface Active {
  readonly gpu: Gpu;
  readonly engine: Engine;
  readonly parts: LoadedParts;
  readonly chat: ChatModel;
  readonly loaded: LoadedModel;
}

/** The worker behind `WorkerApi`: one device, at most one model, any number of conversations. */
export class ShoalWorker implements WorkerApi, RoomApi {
  readonly #renderer: TemplateRenderer = createTemplateRenderer({ spawn: spawnTemplateWorker });
  readonly #lastAnswers = new Map<string, LastAnswer>();
  /** How fast each model runs here, by its key: known also after the device was lost. */
  readonly #paces = new Map<string, Pace>();
  readonly #running = new Map<string, AbortController>();
  /** By the model that this window loaded for itself. */
  readonly #ownAnswers = new Set<Promise<GenerateResult>>();
  #started: Started | undefined;
  #settings: Settings | undefined;
  #active: Active | undefined;
  #loading: { readonly abort: AbortController; readonly done: Promise<unknown>; key?: string } | undefined;

  async start(settings: Settings, host: HostFacts, onEvent: (event: WorkerEvent) => void): Promise<DeviceReport> {
    const granted = await grantedLocks();
    const notes = new LoadingNotes((granted as Locks | undefined) ?? createMemoryLocks());
    const claims = new MemoryClaims(granted as LockQuery | undefined);
    const interruption = await notes.takeInterruption(host.leftWindows);
    let keeps = true;
    const store = await createShardStore().catch(() => {
      keeps = false;
      return createUncachedStore();
    });
    const device = new DeviceHost(host, notes, claims, interruption, keeps);
    this.#settings = settings;
    const files = new ModelFiles(store, host.origin, settings);
    // beside what the window loads for itself
    const roomClaims = new MemoryClaims(granted as LockQuery | undefined);
    const room = new RoomService({
      port: globalThis as unknown as WindowPort,
      device,
      files,
      claims: roomClaims,
      share: new RoomShare({ locks: granted as LockQuery | undefined, claims: roomClaims, own: claims }),
      settings: () => this.#now,
      appOrigin: host.origin,
      appVersion: host.appVersion,
      locks: granted as SlotLocks | undefined,
      onRoom: (view, removed) => onEvent({ kind: 'room', room: view, ...(removed ? { removed } : {}) }),
      onLoading: async (signal) => {
        await Promise.allSettled([...this.#ownAnswers]);
        // meanwhile the room may have been left, or have no use for the layers
        if (!signal.aborted) await this.unload();
      },
    });
    this.#started = { host, device, store, notes, claims, room, onEvent, files };
    return device.report(settings);
  }

  async device(): Promise<DeviceReport> {
    return this.#here.device.report(this.#now);
  }

  async changeSettings(settings: Settings): Promise<DeviceReport> {
    this.#settings = settings;
    this.#here.files.settings = settings;
    void this.#here.room.settingsChanged();
    return this.device();
  }

  async chooseBudget(settings: Settings): Promise<DeviceReport> {
    await this.#here.device.forgetInterruption();
    return this.changeSettings(settings);
  }

  // ---------- models ----------

  async catalogue(contextTokens: number): Promise<readonly CatalogueEntry[]> {
    const limits = await this.#limits();
    return CATALOGUE.map((model) => catalogueEntry(model, contextTokens, limits));
  }

  async resolve(entryId: string): Promise<ModelSource> {
    const model = CATALOGUE.find(({ id }) => id === entryId);
    if (model === undefined) throw new InternalError(`The catalogue has no ${entryId}.`);
    const { signal } = new AbortController();
    const { listing, file } = await resolveCatalogueEntry(model, { ...this.#here.files.hub, signal });
    return { kind: 'hub', repository: listing.repository, file: file.file, commit: listing.commit };
  }

  async hubFiles(repository: string, revision?: string): Promise<HubRepository> {
    return this.#here.files.hubFiles(repository, revision, new AbortController().signal);
  }

  async serverModels(): Promise<readonly ServerModel[]> {
    return this.#here.files.serverModels(new AbortController().signal);
  }

  async inspect(source: ModelSource, contextTokens: number): Promise<ModelSummary> {
    const opened = await this.#here.files.open(source, new AbortController().signal);
    return this.#summary(opened, contextTokens);
  }

  async load(source: ModelSource, contextTokens: number, onEvent: (event: LoadEvent) => void): Promise<LoadedModel> {
    while (this.#loading !== undefined) await this.pauseLoad();
    const abort = new AbortController();
    const done = this.#load(source, contextTokens, onEvent, abort.signal);
    this.#loading = { abort, done: done.catch(() => {}) };
    try {
      return await done;
    } finally {
      if (this.#loading?.abort === abort) this.#loading = undefined;
    }
  }

  async pauseLoad(): Promise<void> {
    this.#loading?.abort.abort(new CancelledError('Paused. What came so far is kept and checked.'));
    const loading = this.#loading;
    await loading?.done;
    if (this.#loading === loading) this.#loading = undefined;
  }

  async unload(): Promise<void> {
    await this.pauseLoad();
    await this.#close(new CancelledError('The model was unloaded.'));
  }

  async loaded(): Promise<LoadedModel | undefined> {
    return this.#active?.loaded;
  }

  // ---------- chat ----------

  async generate(request: GenerateRequest, onEvent: (event: GenerateEvent) => void): Promise<GenerateResult> {
    const abort = new AbortController();
    this.#running.set(request.id, abort);
    try {
      const chat = await this.#chat(abort.signal);
      const answered = answer(chat, request, onEvent, abort.signal);
      if (chat.engine === this.#active?.engine) {
        this.#ownAnswers.add(answered);
        answered.catch(() => {}).finally(() => this.#ownAnswers.delete(answered));
      }
      return await answered;
    } finally {
      this.#running.delete(request.id);
    }
  }

  async stop(id: string): Promise<void> {
    this.#running.get(id)?.abort();
  }

  async forget(conversation: string): Promise<void> {
    this.#lastAnswers.delete(conversation);
    this.#active?.engine.forget(conversation);
    await this.#here.room.forget(conversation);
  }

  // ---------- room ----------

  room(): Promise<RoomView | undefined> {
    return this.#here.room.room();
  }

  makeRoom(name: string, askFirst: boolean): Promise<RoomView> {
    return this.#here.room.makeRoom(name, askFirst);
  }

  joinRoom(invite: string, name: string): Promise<RoomView> {
    return this.#here.room.joinRoom(invite, name);
  }

  returnToRoom(slotBefore?: number): Promise<RoomView | undefined> {
    return this.#here.room.returnToRoom(slotBefore);
  }

  leaveRoom(): Promise<void> {
    return this.#here.room.leaveRoom();
  }

  setAskFirst(askFirst: boolean): Promise<void> {
    return this.#here.room.setAskFirst(askFirst);
  }

  answerAsking(device: string, allow: boolean): Promise<void> {
    return this.#here.room.answerAsking(device, allow);
  }

  removeDevice(device: string): Promise<void> {
    return this.#here.room.removeDevice(device);
  }

  placeInRoom(source: ModelSource, contextTokens: number, byHand?: LayersByHand): Promise<void> {
    return this.#here.room.placeInRoom(source, contextTokens, byHand);
  }

  layOut(model: string, byHand?: LayersByHand): Promise<void> {
    return this.#here.room.layOut(model, byHand);
  }

  // ---------- storage ----------

  async storage(): Promise<StorageReport> {
    const { store } = this.#here;
    return { files: await store.list(), ...(await store.estimate()) };
  }

  async remove(key: string): Promise<void> {
    if (this.#active?.loaded.summary.key === key) await this.unload();
    if (this.#loading?.key === key) await this.pauseLoad();
    await this.#here.store.remove(key);
    this.#here.onEvent({ kind: 'storage-changed' });
  }

  async destroyDevice(): Promise<void> {
    if (!this.#here.host.testHooks) throw new InternalError('Test hooks are off.');
    this.#active?.gpu.device.destroy();
    await this.#here.room.destroyDevice();
  }

  // ---------- inside ----------

  get #here(): Started {
    if (this.#started === undefined) throw new InternalError('The worker was not started.');
    return this.#started;
  }

  get #now(): Settings {
    if (this.#settings === undefined) throw new InternalError('The worker was not started.');
    return this.#settings;
  }

  /** What answers: the model that this window has loaded, else the one that the room runs. */
  async #chat(signal: AbortSignal): Promise<ChatModel> {
    if (this.#active !== undefined) return this.#active.chat;
    const room = await this.#here.room.chat(signal);
    if (room === undefined) throw new PersonError('No model is loaded. Choose one first.', { noModel: true });
    return { ...room, renderer: this.#renderer, lastAnswers: this.#lastAnswers };
  }

  async #limits(): Promise<{ budgetBytes: number; maxBindingBytes: number; storage: 'f16' | 'f32' }> {
    const { device } = this.#here;
    const { maxBindingBytes, f16 } = await device.report(this.#now);
    const storage = f16 && this.#now.storage === 'auto' ? 'f16' : 'f32';
    return { budgetBytes: await device.budgetBytes(this.#now), maxBindingBytes, storage };
  }

  async #summary(opened: OpenedModel, contextTokens: number): Promise<ModelSummary> {
    const { budgetBytes, maxBindingBytes, storage } = await this.#limits();
    const { checkpoint } = opened;
    const spec = readModelSpec(checkpoint);
    const shape = stageShape(contextTokens, storage);
    const { tensors } = checkpoint;
    const { fit } = fitModel({ spec, tensors, shape, sizes: KERNEL_SIZES, budgetBytes, maxBindingBytes });
    return summarize(opened, spec, fit, await this.#here.store.list());
  }

  async #load(
    source: ModelSource,
    contextTokens: number,
    onEvent: (event: LoadEvent) => void,
    signal: AbortSignal,
  ): Promise<LoadedModel> {
    const { host, device, files, notes, claims, onEvent: tell } = this.#here;
    const opened = await files.open(source, signal);
    const summary = await this.#summary(opened, contextTokens);
    onEvent({ kind: 'header', summary });
    if (this.#loading !== undefined) this.#loading.key = summary.key;
    // the model that is loaded answers until the other one is here
    const isRemote = source.kind !== 'picked' && summary.fit.verdict !== 'too-large';
    if (this.#active !== undefined && isRemote) await fetchModel(opened, signal, onEvent);
    const { budgetBytes } = await device.report(this.#now);
    return notes.during({ window: host.window, model: summary.name, budgetBytes }, signal, async () => {
      let gpu: Gpu | undefined;
      try {
        gpu = await device.open(this.#now, budgetBytes);
        const pace = this.#paceOf(summary.key, gpu);
        const onClaimed = () => {
          if (this.#free(new CancelledError('Another model was loaded.'))) onEvent({ kind: 'unloaded' });
        };
        const parts = await loadModel({ opened, contextTokens, gpu, claims, pace, signal, onEvent, onClaimed });
        const engine = new Engine(parts.stage, parts.shape.contextTokens, parts.shape.slots, pace);
        const chat: ChatModel = {
          key: summary.key,
          engine,
          ...parts,
          renderer: this.#renderer,
          lastAnswers: this.#lastAnswers,
        };
        const loaded = loadedModel(
          await this.#summary(opened, parts.shape.contextTokens),
          parts,
          gpu.ledger.takenBytes,
        );
        const active: Active = { gpu, engine, parts, chat, loaded };
        this.#active = active;
        void gpu.failure.then((error) => this.#lost(active, error));
        tell({ kind: 'storage-changed' });
        return loaded;
      } catch (error) {
        const cause = gpu === undefined || signal.aborted ? error : await gpu.causeOf(error);
        gpu?.close();
        if (this.#active === undefined) await claims.release();
        tell({ kind: 'storage-changed' });
        throw cause;
      }
    });
  }

  #paceOf(key: string, { software, storage }: Gpu): Pace {
    const name = `${storage} ${key}`;
    const pace = this.#paces.get(name) ?? new Pace(software);
    this.#paces.set(name, pace);
    return pace;
  }

  /** The GPU went away: everything on it is freed; conversations stay, and a later load goes on with them. */
  async #lost(active: Active, error: DeviceError): Promise<void> {
    if (this.#active !== active) return;
    const reason = error.details.reason;
    await this.#close(error);
    if (reason === 'lost' || reason === 'out-of-memory' || reason === 'validation') {
      this.#here.onEvent({ kind: 'device-lost', reason, message: error.message });
    }
  }

  async #close(why: Error): Promise<void> {
    if (this.#free(why)) await this.#here.claims.release();
  }

  /** Ends what answers and frees the GPU, if a model is loaded; its claim on memory stays. */
  #free(why: Error): boolean {
    const active = this.#active;
    if (active === undefined) return false;
    this.#active = undefined;
    active.engine.close(why);
    active.parts.stopPreparing();
    active.parts.stage.free();
    active.gpu.close();
    return true;
  }
}
