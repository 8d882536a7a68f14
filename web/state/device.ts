import { version } from '../../package.json';
import type { DeviceReport, HostFacts, Settings, StorageReport, StoredFile, WorkerEvent } from '../../worker/api.ts';
import type { WorkerClient } from '../../worker/client.ts';
import { awayWindows, localMarks, WINDOW } from './away.ts';
import { Cell, type Readable } from './cell.ts';
import { fromAny, InternalError, type ShoalError } from './errors.ts';
import { type PreferenceStore, workerSettings } from './preferences.ts';

/** While bytes arrive, what is kept is asked for no more often than this. */
const STORAGE_MS = 2000;

/** What this device can run and keep, as the worker reports it. */
export class Device {
  readonly #report = new Cell<DeviceReport | undefined>(undefined);
  readonly #storage = new Cell<StorageReport | undefined>(undefined);
  readonly #failure = new Cell<ShoalError | undefined>(undefined);
  readonly #worker: WorkerClient;
  readonly #preferences: PreferenceStore;
  #settingsBusy: Promise<unknown> = Promise.resolve();
  #storageTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(worker: WorkerClient, preferences: PreferenceStore) {
    this.#worker = worker;
    this.#preferences = preferences;
  }

  get report(): Readable<DeviceReport | undefined> {
    return this.#report;
  }

  get storage(): Readable<StorageReport | undefined> {
    return this.#storage;
  }

  /** Files that somebody wanted; of others only the header was looked at. */
  get keptFiles(): readonly StoredFile[] {
    return this.#storage.value?.files.filter(({ lookedAt }) => !lookedAt) ?? [];
  }

  /** Whether models run here at all. */
  get computes(): boolean {
    return this.#report.value?.compute !== 'none';
  }

  /** Why the worker could not start. */
  get failure(): Readable<ShoalError | undefined> {
    return this.#failure;
  }

  async start(onEvent: (event: WorkerEvent) => void): Promise<void> {
    const settings = workerSettings(this.#preferences.all.value);
    try {
      const started = this.#worker.start(settings, hostFacts(), onEvent);
      this.#settingsBusy = started.catch(() => undefined);
      this.#report.set(await started);
      await this.readStorage();
    } catch (error) {
      this.#failure.set(fromAny(error));
    }
  }

  /** The worker's script itself failed. */
  workerDied(): void {
    if (!this.#report.value) this.#failure.set(new InternalError('The part of Shoal that computes did not start.'));
  }

  /** Tells the worker what the person changed; one change after another. */
  applySettings(): Promise<void> {
    return this.#apply((settings) => this.#worker.changeSettings(settings));
  }

  /** The person chose the memory budget, be it the one that was: an interrupted load counts no more. */
  applyBudget(): Promise<void> {
    return this.#apply((settings) => this.#worker.chooseBudget(settings));
  }

  #apply(tell: (settings: Settings) => Promise<DeviceReport>): Promise<void> {
    const apply = async () => {
      this.#report.set(await tell(workerSettings(this.#preferences.all.value)));
    };
    const done = this.#settingsBusy.then(apply);
    this.#settingsBusy = done.catch(() => undefined);
    return done;
  }

  async readReport(): Promise<void> {
    this.#report.set(await this.#worker.device());
  }

  async readStorage(): Promise<void> {
    try {
      const report = await this.#worker.storage();
      const kept = report.files.reduce((sum, { keptBytes }) => sum + keptBytes, 0);
      // the browser's figure lags behind what was written
      this.#storage.set({ ...report, usedBytes: Math.max(report.usedBytes, kept) });
    } catch {
      // Storage that cannot be read is said by the report's `no-storage`.
    }
  }

  /** Reads it again in a moment: bytes are arriving. */
  readStorageSoon(): void {
    this.#storageTimer ??= setTimeout(() => {
      this.#storageTimer = undefined;
      void this.readStorage();
    }, STORAGE_MS);
  }

  async remove(key: string): Promise<void> {
    await this.#worker.remove(key);
    await this.readStorage();
  }

  /** Asks the browser to keep the models when the disk runs short; it may refuse in silence. */
  async askToPersist(): Promise<void> {
    try {
      if (!(await navigator.storage?.persisted?.())) await navigator.storage?.persist?.();
    } catch {
      // Not a secure context, or refused: the storage view says so.
    }
    await this.readStorage();
  }
}

function hostFacts(): HostFacts {
  const hooks = new URLSearchParams(location.search).get('test-hooks');
  return {
    origin: location.origin,
    maxTouchPoints: navigator.maxTouchPoints,
    window: WINDOW,
    leftWindows: awayWindows(localMarks(), Date.now()),
    appVersion: version,
    testHooks: hooks !== null,
    compilesAhead: hooks !== 'compile-as-needed',
  };
}
