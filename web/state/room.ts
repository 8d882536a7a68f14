import type { LayersByHand, ModelSource, RoomView } from '../../worker/api.ts';
import type { WorkerClient } from '../../worker/client.ts';
import type { RoomWorker } from '../room/hand-over.ts';
import type { JoinFailure } from '../room/join-failure.ts';
import { type ConnectionView, RoomConnections } from '../room/room-connections.ts';
import { signalingElsewhere } from '../room/signaling-address.ts';
import { Cell, type Readable } from './cell.ts';
import { fromAny, type ShoalError } from './errors.ts';
import { type Joining, KeptInvite } from './kept-invite.ts';
import { recall, remember } from './window-memory.ts';

const SLOT = 'shoal-device-slot';
/** After these the invite may work yet, by itself or once the person tries again. */
const MAY_WORK_YET: readonly RoomView['refused'][] = [undefined, 'version', 'busy', 'full', 'nobody-here'];

/** What the server tells of itself: addresses under which other devices can open the app, and a page of steps for phones. */
export interface ServerAddresses {
  readonly origins: readonly string[];
  readonly steps?: string;
}

export interface Connecting {
  readonly signaling: RoomConnections['signaling'];
  readonly connections: readonly ConnectionView[];
}

/** A model that is being laid over the room's devices, or could not be. */
export interface Placing {
  /** Which row of the models page it is. */
  readonly row: string;
  readonly name: string;
  readonly failure?: ShoalError;
}

/** The room that this window is in, and its connections. */
export class RoomState {
  readonly #view = new Cell<RoomView | undefined>(undefined);
  readonly #failure = new Cell<JoinFailure | undefined>(undefined);
  readonly #connecting = new Cell<Connecting | undefined>(undefined);
  readonly #removed = new Cell(false);
  readonly #server = new Cell<ServerAddresses | undefined>(undefined);
  readonly #placing = new Cell<Placing | undefined>(undefined);
  readonly #worker: WorkerClient;
  readonly #port: RoomWorker | undefined;
  readonly #wakeLock: Readable<boolean>;
  #connections: RoomConnections | undefined;
  #directory = '';
  /** What this window joined with, to try again. */
  #joinedWith: Joining | undefined;
  readonly #keptInvite = new KeptInvite();

  /**
   * @param port the worker itself, which channels are transferred to; absent where a test plays the worker
   * @param wakeLock whether the screen is kept on: the room's devices know then that this one does not sleep
   */
  constructor(worker: WorkerClient, port: RoomWorker | undefined, wakeLock: Readable<boolean>) {
    this.#worker = worker;
    this.#port = port;
    this.#wakeLock = wakeLock;
    wakeLock.subscribe(() => this.#connections?.tellWakeLock(wakeLock.value));
  }

  /** Undefined: in no room. */
  get view(): Readable<RoomView | undefined> {
    return this.#view;
  }

  /** Why joining, or reaching a device, did not work just now. */
  get failure(): Readable<JoinFailure | undefined> {
    return this.#failure;
  }

  get connecting(): Readable<Connecting | undefined> {
    return this.#connecting;
  }

  /** Another member took this device out of the room. */
  get removed(): Readable<boolean> {
    return this.#removed;
  }

  /** Undefined until the server was asked. */
  get server(): Readable<ServerAddresses | undefined> {
    return this.#server;
  }

  get placing(): Readable<Placing | undefined> {
    return this.#placing;
  }

  /** Who waits to be let in. */
  get asking(): RoomView['asking'] {
    return this.#view.value?.asking ?? [];
  }

  /** Whether another device can open an invite of this page, or this computer alone. */
  get reach(): 'network' | 'this-computer' {
    const [origin] = this.#server.value?.origins ?? [];
    return origin === undefined && isLocal(location.hostname) ? 'this-computer' : 'network';
  }

  /** The person has read that the device was removed. */
  dismissRemoved(): void {
    this.#removed.set(false);
  }

  /** Goes back to the room that this window was in, or was joining, before it was reloaded; false where there was none. */
  async return(): Promise<boolean> {
    const slot = Number.parseInt(recall(SLOT) ?? '', 10);
    const view = await (Number.isNaN(slot) ? this.#worker.returnToRoom() : this.#worker.returnToRoom(slot));
    const joining = this.#keptInvite.read();
    this.follow(view, false);
    if (view !== undefined) return true;
    if (joining === undefined) return false;
    this.#keptInvite.forget();
    await this.join(joining.invite, joining.name); // keeps it again, where it can be used
    return true;
  }

  async make(name: string, askFirst: boolean): Promise<void> {
    this.follow(await this.#worker.makeRoom(name, askFirst), false);
  }

  /** @param invite a link, or any text with one in it */
  async join(invite: string, name: string): Promise<void> {
    this.follow(await this.#worker.joinRoom(invite, name), false);
    this.#joinedWith = { invite, name };
    this.#keptInvite.keep(this.#joinedWith);
  }

  /** Whether what this window joined with is known, so that it can try again. */
  get canTryAgain(): boolean {
    return this.#joinedWith !== undefined;
  }

  async joinAgain(): Promise<void> {
    const before = this.#joinedWith;
    if (!before) return;
    await this.leave();
    await this.join(before.invite, before.name);
  }

  async leave(): Promise<void> {
    await this.#worker.leaveRoom();
    this.follow(undefined, false);
  }

  async answerAsking(device: string, allow: boolean): Promise<void> {
    await this.#worker.answerAsking(device, allow);
  }

  async remove(device: string): Promise<void> {
    await this.#worker.removeDevice(device);
  }

  async setAskFirst(askFirst: boolean): Promise<void> {
    await this.#worker.setAskFirst(askFirst);
  }

  /** Lays a model over the devices of the room. */
  async place(source: ModelSource, contextTokens: number, byHand?: LayersByHand): Promise<void> {
    await (byHand === undefined
      ? this.#worker.placeInRoom(source, contextTokens)
      : this.#worker.placeInRoom(source, contextTokens, byHand));
  }

  /** Lays a model that the room has over its devices anew. */
  async layOut(model: string, byHand?: LayersByHand): Promise<void> {
    await (byHand === undefined ? this.#worker.layOut(model) : this.#worker.layOut(model, byHand));
  }

  /** As `place`, for a row of the models page: true when the devices have begun, else `placing` says why not. */
  async use(row: string, name: string, source: () => Promise<ModelSource>, contextTokens: number): Promise<boolean> {
    this.#placing.set({ row, name });
    try {
      await this.place(await source(), contextTokens);
      this.#placing.set(undefined);
      return true;
    } catch (error) {
      this.#placing.set({ row, name, failure: fromAny(error) });
      return false;
    }
  }

  /** Addresses for other devices; read again when the room is shown. */
  async readServer(): Promise<void> {
    // what another server knows of are addresses of an app of its own
    if (signalingElsewhere(document) !== undefined) {
      this.#server.set({ origins: [] });
      return;
    }
    try {
      const answer = await fetch(new URL('signaling/server', document.baseURI));
      if (answer.ok) {
        this.#server.set((await answer.json()) as ServerAddresses);
        return;
      }
    } catch {
      // A server that only hosts files, or none that can be reached: the address of this page is all there is.
    }
    this.#server.set({ origins: [] });
  }

  /** Where other devices open an invite: the page's own address unless only this computer can reach that. */
  inviteLink(code: string): string {
    const [origin] = this.#server.value?.origins ?? [];
    const url = new URL(document.baseURI);
    const base = origin !== undefined && isLocal(url.hostname) ? new URL(url.pathname, origin) : url;
    base.search = '';
    base.hash = `#/join/${code}`;
    return base.href;
  }

  /** Takes what the worker says of the room. */
  follow(view: RoomView | undefined, removed: boolean): void {
    if (view?.slot !== undefined) remember(SLOT, String(view.slot));
    if (view === undefined || view.phase === 'in' || !MAY_WORK_YET.includes(view.refused)) this.#keptInvite.forget();
    // a refusal that was one device's word: another one asks
    else if (this.#joinedWith !== undefined) this.#keptInvite.keep(this.#joinedWith);
    this.#removed.set(removed);
    this.#view.set(view);
    const directory = view?.directory ?? '';
    if (directory === this.#directory) return;
    this.#placing.set(undefined);
    this.#directory = directory;
    this.#connections?.leave();
    this.#connections = undefined;
    this.#connecting.set(undefined);
    this.#failure.set(undefined);
    if (directory !== '' && this.#port !== undefined) this.#connect(this.#port, directory);
  }

  #connect(worker: RoomWorker, room: string): void {
    const server = signalingElsewhere(document);
    const relayOnly = new URLSearchParams(location.search).get('ice') === 'relay';
    const connections = new RoomConnections({
      worker,
      room,
      ...(server === undefined ? {} : { server }),
      ...(relayOnly ? { rtc: { iceTransportPolicy: 'relay' } } : {}),
      changed: () => {
        this.#connecting.set({ signaling: connections.signaling, connections: connections.connections });
        if (connections.connections.some(({ state }) => state === 'linked')) this.#failure.set(undefined);
      },
      failed: (failure) => this.#failure.set(failure),
    });
    this.#connections = connections;
    connections.tellWakeLock(this.#wakeLock.value);
    void this.readServer();
  }
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '127.0.0.1' || host === '[::1]';
}
