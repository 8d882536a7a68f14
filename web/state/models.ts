import type {
  CatalogueEntry,
  HubRepository,
  LoadEvent,
  LoadedModel,
  ModelSource,
  ModelSummary,
  ServerModel,
  StoredFile,
} from '../../worker/api.ts';
import type { WorkerClient } from '../../worker/client.ts';
import { Cell, type Readable } from './cell.ts';
import type { Device } from './device.ts';
import { fromAny, type ShoalError } from './errors.ts';
import type { PreferenceStore } from './preferences.ts';
import { mayGoOn } from './resumption.ts';
import type { Unfinished } from './unfinished.ts';
import type { WakeLock } from './wake-lock.ts';

type ProgressEvent = Extract<LoadEvent, { kind: 'progress' }>;

/** How far a load is, to be shown: `doneBytes` counts what is arriving too, so that it moves on a slow network. */
type Progress = Omit<ProgressEvent, 'arrivingBytes'>;

/** The model that is being loaded, or was until it was paused or failed. */
export interface Loading {
  readonly phase: 'finding' | 'loading' | 'pausing' | 'paused' | 'failed';
  readonly name: string;
  /** The catalogue's entry, where it came from there. */
  readonly entry?: string;
  readonly source?: ModelSource;
  /** Where it is kept, as far as that is known before its header is read. */
  readonly key?: string;
  readonly contextTokens: number;
  readonly summary?: ModelSummary;
  readonly progress?: Progress;
  /** Nothing has come for a while: the network is silent. */
  readonly silent?: boolean;
  readonly preparing?: { readonly done: number; readonly total: number };
  readonly error?: ShoalError;
}

export interface Wanted {
  readonly name: string;
  readonly entry?: string;
  readonly source?: ModelSource;
  readonly key?: string;
  readonly contextTokens?: number;
}

export type HubState = 'unknown' | 'reachable' | 'unreachable';

const PROGRESS_MS = 120;
/** Without news for so long the last rate is no longer true. */
const SILENT_MS = 4000;

function shown({ arrivingBytes, ...progress }: ProgressEvent): Progress {
  return { ...progress, doneBytes: progress.doneBytes + arrivingBytes };
}

/** Not a hub that answers and asks to slow down, or for a token. */
function isHubAway(error: unknown): boolean {
  return fromAny(error).details.hubUnreachable === true;
}

/** The key of the file that is being loaded, once it is known. */
export function loadingKey(loading: Loading | undefined): string | undefined {
  const { summary, key, source } = loading ?? {};
  return summary?.key ?? key ?? (source?.kind === 'stored' ? source.key : undefined);
}

/** Which models there are, which are kept, which one is loaded; one loads at a time. */
export class Models {
  readonly catalogue = new Cell<readonly CatalogueEntry[]>([]);
  readonly served = new Cell<readonly ServerModel[]>([]);
  readonly hub = new Cell<HubState>('unknown');
  /** Damaged pieces that the last load found and fetched again. */
  readonly repaired = new Cell(0);
  readonly #loading = new Cell<Loading | undefined>(undefined);
  readonly #loaded = new Cell<LoadedModel | undefined>(undefined);
  readonly #worker: WorkerClient;
  readonly #device: Device;
  readonly #preferences: PreferenceStore;
  readonly #wakeLock: WakeLock;
  readonly #unfinished: Unfinished;
  #run = 0;
  /** The load that is to leave nothing behind but what it kept. */
  #cancelled = 0;
  readonly #looked = new Set<string>();

  constructor(
    worker: WorkerClient,
    device: Device,
    preferences: PreferenceStore,
    wakeLock: WakeLock,
    unfinished: Unfinished,
  ) {
    this.#worker = worker;
    this.#device = device;
    this.#preferences = preferences;
    this.#wakeLock = wakeLock;
    this.#unfinished = unfinished;
  }

  get loading(): Readable<Loading | undefined> {
    return this.#loading;
  }

  get loaded(): Readable<LoadedModel | undefined> {
    return this.#loaded;
  }

  async readCatalogue(): Promise<void> {
    this.catalogue.set(await this.#worker.catalogue(this.#preferences.all.value.contextTokens));
  }

  async readServed(): Promise<void> {
    try {
      this.served.set(await this.#worker.serverModels());
    } catch {
      this.served.set([]);
    }
  }

  /** Looks one entry up on the hub, so that the page can say at once when the hub is out of reach. */
  async probeHub(entry: string): Promise<void> {
    if (this.hub.value === 'reachable') return;
    const asked = this.#preferences.all.value.hubBaseUrl;
    let found: HubState = 'reachable';
    try {
      await this.#worker.resolve(entry);
    } catch (error) {
      if (isHubAway(error)) found = 'unreachable';
    }
    // the address may have been changed meanwhile
    if (asked === this.#preferences.all.value.hubBaseUrl) this.hub.set(found);
  }

  async hubFiles(repository: string, revision?: string): Promise<HubRepository> {
    try {
      const found = await this.#worker.hubFiles(repository, revision);
      this.hub.set('reachable');
      return found;
    } catch (error) {
      if (isHubAway(error)) this.hub.set('unreachable');
      throw error;
    }
  }

  async inspect(source: ModelSource): Promise<ModelSummary> {
    const summary = await this.#worker.inspect(source, this.#preferences.all.value.contextTokens);
    this.#remember(summary);
    return summary;
  }

  /** Reads the headers of kept files that are known by their file names alone, as those that came through a room. */
  async learnKept(): Promise<void> {
    const { known } = this.#preferences.all.value;
    const loading = loadingKey(this.#loading.value);
    for (const { key } of this.#device.keptFiles) {
      if (key in known || key === loading || this.#looked.has(key)) continue;
      this.#looked.add(key);
      // a part of the header may be missing, and the network too: then its file's name is all there is
      await this.inspect({ kind: 'stored', key }).catch(() => undefined);
    }
  }

  /** Finds, downloads and loads; resolves true when the model is ready. Errors are shown in `loading`. */
  async load(wanted: Wanted): Promise<boolean> {
    this.#run += 1;
    const run = this.#run;
    const contextTokens = wanted.contextTokens ?? this.#preferences.all.value.contextTokens;
    const show = (change: Partial<Loading>) => {
      if (run === this.#run) this.#loading.update((now) => now && { ...now, ...change });
    };
    const { contextTokens: _asked, ...rest } = wanted;
    this.#loading.set({ ...rest, phase: 'finding', contextTokens });
    this.#unfinished.begin({ ...rest, contextTokens }, Date.now());
    this.#wakeLock.hold('load');
    try {
      const source = wanted.source ?? (await this.#resolve(wanted.entry));
      if (run !== this.#run) return false; // another was chosen, or this one paused, while it was looked up
      show({ source, phase: 'loading' });
      if (source.kind !== 'stored') void this.#device.askToPersist();
      const loaded = await this.#worker.load(source, contextTokens, this.#onEvents(run, show));
      if (run !== this.#run) return false;
      this.repaired.set(this.#loading.value?.progress?.repairedShards ?? 0);
      this.#loaded.set(loaded);
      this.#loading.set(undefined);
      this.#unfinished.end();
      this.#remember(loaded.summary);
      this.#preferences.change((before) => ({
        ...before,
        lastModel: { key: loaded.summary.key, name: loaded.summary.name },
      }));
      return true;
    } catch (error) {
      const failure = fromAny(error);
      if (failure.remedy === 'cancelled' && this.#cancelled === run) this.#loading.set(undefined);
      else if (failure.remedy === 'cancelled') show({ phase: 'paused' });
      else show({ phase: 'failed', error: failure });
      if (run === this.#run) {
        if (!mayGoOn(failure)) this.#unfinished.end();
        this.#loaded.set(await this.#stillLoaded());
      }
      return false;
    } finally {
      if (run === this.#run) this.#wakeLock.release('load');
      void this.#device.readStorage();
    }
  }

  async pause(): Promise<void> {
    if (this.#loading.value?.phase === 'finding') {
      this.#run += 1;
      this.#unfinished.end();
      this.#loading.update((now) => now && { ...now, phase: 'paused' });
      this.#wakeLock.release('load');
      return;
    }
    this.#loading.update((now) => now && { ...now, phase: 'pausing' });
    await this.#worker.pauseLoad();
  }

  /** Ends a load that has all its bytes: there is nothing to resume. */
  cancel(): Promise<void> {
    this.#cancelled = this.#run;
    return this.pause();
  }

  resume(): Promise<boolean> {
    const { name, entry, source, key, contextTokens } = this.#loading.value ?? {};
    if (name === undefined) return Promise.resolve(false);
    return this.load({
      name,
      ...(entry ? { entry } : {}),
      ...(source ? { source } : {}),
      ...(key ? { key } : {}),
      ...(contextTokens ? { contextTokens } : {}),
    });
  }

  /** Takes the row of a failed or paused load away; what it kept stays until it is removed. */
  dismiss(): void {
    const phase = this.#loading.value?.phase;
    if (phase !== 'paused' && phase !== 'failed') return;
    this.#unfinished.end();
    this.#loading.set(undefined);
  }

  /** The worker frees the model of this device when the room loads layers here. */
  async readLoaded(): Promise<void> {
    if (this.#loaded.value && !this.isLoading) this.#loaded.set(await this.#stillLoaded());
  }

  async unload(): Promise<void> {
    await this.#worker.unload();
    this.#loaded.set(undefined);
  }

  /** One is on its way. */
  get isLoading(): boolean {
    const phase = this.#loading.value?.phase;
    return phase === 'finding' || phase === 'loading' || phase === 'pausing';
  }

  /** The device was lost: nothing is ready any more. The model that was. */
  lose(): LoadedModel | undefined {
    const loaded = this.#loaded.value;
    this.#loaded.set(undefined);
    return loaded;
  }

  /** Whether all that a loaded model needed is here still, so that nothing of it would be downloaded. */
  async isKept({ summary }: LoadedModel): Promise<boolean> {
    if (summary.source.kind === 'picked') return true;
    await this.#device.readStorage();
    const kept = this.#device.storage.value?.files.find(({ key }) => key === summary.key);
    return kept !== undefined && (kept.complete || kept.lostBytes === 0);
  }

  /** After the device was lost: the same model from what is kept. What would be downloaded again waits for the person. */
  async reload(loaded = this.lose()): Promise<boolean> {
    if (!loaded) return false;
    const { summary, contextTokens } = loaded;
    const { name, key } = summary;
    if (!(await this.isKept(loaded))) {
      this.#loading.set({ phase: 'paused', name, key, source: summary.source, contextTokens });
      return false;
    }
    const source: ModelSource = summary.source.kind === 'picked' ? summary.source : { kind: 'stored', key };
    return this.load({ name, source, contextTokens });
  }

  /** At the second visit: what was used last, if all of it is kept. */
  loadLast(): Promise<boolean> {
    const last = this.#preferences.all.value.lastModel;
    const file = this.#device.storage.value?.files.find((kept) => kept.key === last?.key && kept.complete);
    if (!last || !file) return Promise.resolve(false);
    return this.load({ name: last.name, source: { kind: 'stored', key: file.key } });
  }

  /** Frees the model first when it is the one loaded. */
  async remove(file: StoredFile): Promise<void> {
    if (this.#loaded.value?.summary.key === file.key) await this.unload();
    if (this.#loading.value?.summary?.key === file.key) this.dismiss();
    await this.#device.remove(file.key);
  }

  /** Where the file of a catalogue's entry is. */
  find(entry: string): Promise<ModelSource> {
    return this.#resolve(entry);
  }

  async #resolve(entry: string | undefined): Promise<ModelSource> {
    if (entry === undefined) throw new TypeError('A model is wanted by source or by entry.');
    try {
      const source = await this.#worker.resolve(entry);
      this.hub.set('reachable');
      return source;
    } catch (error) {
      if (isHubAway(error)) this.hub.set('unreachable');
      throw error;
    }
  }

  #onEvents(run: number, show: (change: Partial<Loading>) => void): (event: LoadEvent) => void {
    let shownAt = 0;
    let waiting: Progress | undefined;
    const showProgress = () => {
      if (!waiting) return;
      shownAt = performance.now();
      show({ progress: waiting });
      waiting = undefined;
    };
    let silence: ReturnType<typeof setTimeout> | undefined;
    let cameTo = -1;
    return (event) => {
      // whichever load it was for
      if (event.kind === 'unloaded') this.#loaded.set(undefined);
      if (run !== this.#run || event.kind === 'unloaded') return;
      if (event.kind === 'header') show({ summary: event.summary, name: event.summary.name });
      else if (event.kind === 'preparing') {
        show({ preparing: { done: event.pipelinesDone, total: event.pipelinesTotal } });
      } else {
        // the last one before a silence is shown too
        if (!waiting) setTimeout(showProgress, PROGRESS_MS);
        const next = shown(event);
        if (event.fetchedBytes > 0) this.#device.readStorageSoon();
        waiting = next;
        if (performance.now() - shownAt >= PROGRESS_MS || event.doneBytes >= event.totalBytes) showProgress();
        if (next.doneBytes === cameTo) return;
        cameTo = next.doneBytes;
        show({ silent: false });
        clearTimeout(silence);
        if (event.doneBytes < event.totalBytes) silence = setTimeout(() => show({ silent: true }), SILENT_MS);
      }
    };
  }

  async #stillLoaded(): Promise<LoadedModel | undefined> {
    try {
      return await this.#worker.loaded();
    } catch {
      return undefined;
    }
  }

  #remember(summary: ModelSummary): void {
    const { key, name, quantization, layers, parameters } = summary;
    const before = this.#preferences.all.value.known[key];
    if (before?.layers === layers && before.name === name) return;
    this.#preferences.change((all) => ({
      ...all,
      known: { ...all.known, [key]: { name, quantization, layers, parameters } },
    }));
  }
}
