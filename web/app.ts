import type { RoomView, WorkerEvent } from '../worker/api.ts';
import type { WorkerClient } from '../worker/client.ts';
import type { RoomWorker } from './room/hand-over.ts';
import { roomModel } from './state/answering.ts';
import { Answers } from './state/answers.ts';
import { Cell } from './state/cell.ts';
import { Chats } from './state/chats.ts';
import { Device } from './state/device.ts';
import { IdleLoss, type IdleOutcome } from './state/idle-loss.ts';
import { Install } from './state/install.ts';
import { browserKeyValue } from './state/key-value.ts';
import { Models } from './state/models.ts';
import { PreferenceStore, type Preferences } from './state/preferences.ts';
import { Resumption } from './state/resumption.ts';
import { RoomState } from './state/room.ts';
import { Router } from './state/route.ts';
import { Starter } from './state/starter.ts';
import { type TryLocks, Unfinished } from './state/unfinished.ts';
import { Updates } from './state/updates.ts';
import { WakeLock } from './state/wake-lock.ts';
import { modelWords } from './words/models.ts';

/** One calm line at the top of the page, about what happened without being asked for. */
export interface Notice {
  readonly tone: 'now' | 'plain' | 'warn' | 'bad';
  readonly words: string;
}

/** A room in which nobody speaks of a model by then runs none for now: the person goes on by hand. */
const FINDS_ROOM_MS = 60_000;

/** All state of the window, passed to the views. */
export class App {
  readonly #kept = browserKeyValue('shoal-window');
  readonly preferences = new PreferenceStore(this.#kept);
  readonly chats = new Chats(browserKeyValue('shoal-conversations'));
  readonly router = new Router();
  readonly updates = new Updates();
  readonly install = new Install();
  readonly starter = new Starter(location.origin);
  readonly notice = new Cell<Notice | undefined>(undefined);
  /** A file that was picked or dropped, waiting for the models page to show it. */
  readonly opened = new Cell<File | undefined>(undefined);
  /** True once everything kept was read: before that, nothing is said about what is missing. */
  readonly settled = new Cell(false);
  readonly device: Device;
  readonly models: Models;
  readonly answers: Answers;
  readonly room: RoomState;
  readonly #wakeLock = new WakeLock();
  readonly #unfinished = new Unfinished(this.#kept, navigator.locks as TryLocks | undefined);
  readonly #idleLoss: IdleLoss;
  /** Of the layers that the room has given to this device. */
  #arrivedBytes = 0;

  /** @param port the worker itself, for what is transferred to it */
  constructor(worker: WorkerClient, port?: RoomWorker) {
    this.room = new RoomState(worker, port, this.#wakeLock.isHeld);
    this.device = new Device(worker, this.preferences);
    this.models = new Models(worker, this.device, this.preferences, this.#wakeLock, this.#unfinished);
    this.answers = new Answers(worker, this.chats, this.models, this.room, this.preferences, this.#wakeLock);
    this.#idleLoss = new IdleLoss(this.models, onScreen, () => performance.now());
    const resumption = new Resumption(this.models, isOnScreen, () => performance.now());
    addEventListener('online', () => resumption.woke());
    document.addEventListener('visibilitychange', () => {
      if (isOnScreen()) resumption.woke();
    });
    this.device.storage.subscribe(() => void this.models.learnKept());
    this.room.failure.subscribe(() => void this.#catchUp());
    this.models.repaired.subscribe(() => this.#onRepaired(this.models.repaired.value));
    this.preferences.onOtherWindow = (before) => void this.#followOtherWindow(before);
  }

  async start(): Promise<void> {
    await Promise.all([this.preferences.read(), this.chats.read()]);
    await this.device.start((event) => this.#onWorkerEvent(event));
    const report = this.device.report.value;
    if (report) await this.models.readCatalogue().catch(() => undefined);
    this.settled.set(true);
    void this.models.readServed();
    void this.#followStarter();
    const isInRoom = report !== undefined && (await this.room.return().catch(() => false));
    if (isInRoom) void this.#goOnInRoom();
    if (report?.interrupted) this.#unfinished.forget();
    else if (report && report.compute !== 'none' && !isInRoom) void this.#goOn();
  }

  /** The answer that this page was driving in its room when it was reloaded: nobody else goes on with it. */
  async #goOnInRoom(): Promise<void> {
    const broken = this.answers.takeBroken();
    if (broken === undefined) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (roomModel(this.room.view.value) === undefined) return;
        stop();
        resolve();
      };
      const stop = this.room.view.subscribe(look);
      setTimeout(() => {
        stop();
        resolve();
      }, FINDS_ROOM_MS);
      look();
    });
    const mayGoOn = roomModel(this.room.view.value) !== undefined && !this.answers.live.value;
    if (mayGoOn) this.answers.goOn(broken.conversation, broken.message);
  }

  /** What was used last, and then the download that broke off with the page before this one. */
  async #goOn(): Promise<void> {
    const unfinished = await this.#unfinished.take(Date.now());
    await this.models.loadLast();
    if (!unfinished) return;
    // the person may have begun something else, or asked the browser to save data
    if (this.models.isLoading || savesData()) this.#unfinished.end();
    else await this.models.load(unfinished);
  }

  /** Nothing is kept and nothing was said yet. */
  get isFirstVisit(): boolean {
    return (
      this.device.keptFiles.length === 0 &&
      this.chats.list.value.length === 0 &&
      !this.models.loaded.value &&
      !this.room.view.value
    );
  }

  openFile(file: File): void {
    this.opened.set(file);
    this.router.go({ view: 'models' });
  }

  #onWorkerEvent(event: WorkerEvent): void {
    switch (event.kind) {
      case 'storage-changed':
        void this.device.readStorage();
        if (this.chats.trouble.value === 'full') void this.chats.keepAgain();
        return;
      case 'device-lost':
        void this.#onDeviceLost(event.message);
        return;
      case 'room':
        this.#onRoom(event.room, event.removed === true);
        return;
      default:
        event satisfies never;
    }
  }

  #onRoom(view: RoomView | undefined, removed: boolean): void {
    this.room.follow(view, removed);
    const own = view?.models.flatMap(({ stages }) => stages.filter(({ device }) => device === view.self)) ?? [];
    const arrived = own.reduce((sum, { doneBytes }) => sum + doneBytes, 0);
    if (arrived !== this.#arrivedBytes) this.device.readStorageSoon();
    this.#arrivedBytes = arrived;
    if (own.length === 0) {
      this.#wakeLock.release('room');
      return;
    }
    // a device that sleeps takes its layers with it
    this.#wakeLock.hold('room');
    void this.models.readLoaded();
  }

  /** Other devices of the room have a newer version: it is taken as soon as no answer runs. */
  async #catchUp(): Promise<void> {
    if (this.room.failure.value?.behind !== 'us' || !(await this.updates.look())) return;
    if (!this.answers.live.value) return this.updates.use();
    const stop = this.answers.live.subscribe(() => {
      if (this.answers.live.value) return;
      stop();
      this.updates.use();
    });
  }

  /** The server may be fetching the starter already: once it is there, its folder has it. */
  async #followStarter(): Promise<void> {
    const wasFetching = (await this.starter.ask())?.state === 'fetching';
    if (wasFetching && (await this.starter.followed())?.state === 'ready') await this.models.readServed();
  }

  /** What another window's person decided holds here too. */
  async #followOtherWindow(before: Preferences): Promise<void> {
    if (before.hubBaseUrl !== this.preferences.all.value.hubBaseUrl) this.models.hub.set('unknown');
    try {
      await this.device.applySettings();
      await this.models.readCatalogue();
    } catch {
      // The worker did not start: the page says so already.
    }
  }

  /** A disk that loses bits is worth knowing of, also when nothing is missing any more. */
  #onRepaired(count: number): void {
    if (count > 0) this.notice.set({ tone: 'plain', words: modelWords.repaired(count) });
  }

  /** While an answer runs, the answer brings the model back itself. */
  async #onDeviceLost(message: string): Promise<void> {
    if (this.answers.live.value) return;
    await this.#idleLoss.lost((outcome, name) => this.notice.set(lossNotice(outcome, name, message)));
  }
}

function lossNotice(outcome: IdleOutcome, name: string, message: string): Notice | undefined {
  switch (outcome) {
    case 'loading-again':
      return { tone: 'now', words: message };
    case 'too-often':
      return { tone: 'bad', words: modelWords.lostTooOften(name) };
    case 'not-kept':
      return { tone: 'warn', words: modelWords.lostNotKept(name) };
    case 'failed':
      return { tone: 'bad', words: modelWords.lostFailed(name) };
    case 'back':
    case 'left':
      return undefined;
    default:
      return outcome satisfies never;
  }
}

function isOnScreen(): boolean {
  return document.visibilityState === 'visible';
}

async function onScreen(): Promise<void> {
  while (!isOnScreen()) {
    await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
  }
}

function savesData(): boolean {
  const { connection } = navigator as { readonly connection?: { readonly saveData?: boolean } };
  return connection?.saveData === true;
}
