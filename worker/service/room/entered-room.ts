import * as v from 'valibot';
import type { LayersByHand, ModelSource, RoomView, Settings } from '../../api.ts';
import { PersonError } from '../../errors.ts';
import {
  type Device,
  type DeviceKey,
  inviteCode,
  type Joined,
  type RecordStore,
  type RoomNames,
  type RoomRecord,
} from '../../mesh/identity/index.ts';
import { attachLinks, type WindowPort } from '../../mesh/link/index.ts';
import type { ModelKey, Placement } from '../../mesh/types.ts';
import { WIRE_VERSION } from '../../mesh/wire/frame.ts';
import type { DeviceHost } from '../device-host.ts';
import type { MemoryClaims } from '../memory-claims.ts';
import type { ModelFiles } from '../model-files.ts';
import { layOut } from './laying-out.ts';
import { LoadRates } from './load-rates.ts';
import { MemoryOffer } from './memory-offer.ts';
import { modelKey, roomModel } from './model-key.ts';
import { Room } from './room.ts';
import { createRoomChat, type RoomChat } from './room-chat.ts';
import { RoomModels } from './room-models.ts';
import { PlacementSchema } from './room-schemas.ts';
import type { RoomShare } from './room-share.ts';
import { RoomStages } from './room-stages.ts';
import { nameIn, newestFirst, roomView } from './room-view.ts';
import { sessionOf } from './session-id.ts';
import { SessionStore } from './session-store.ts';

const VIEW_MS = 250;

export interface EnteredRoomOptions {
  readonly port: WindowPort;
  readonly device: DeviceHost;
  readonly files: ModelFiles;
  readonly claims: MemoryClaims;
  readonly share: RoomShare;
  readonly settings: () => Settings;
  readonly appOrigin: string;
  readonly appVersion: string;
  /** What drivers keep of their sessions. */
  readonly sessions: RecordStore;
  /** A model of the room is to be loaded here: what this window has loaded for itself gives way, once it has answered. */
  readonly onLoading: (signal: AbortSignal) => Promise<void>;
  readonly onView: (view: RoomView) => void;
  /** Another member took this device out. */
  readonly onRemoved: (room: EnteredRoom) => void;
}

/** Who enters what. */
export interface Entry {
  readonly identity: Device;
  readonly names: RoomNames;
  readonly key: DeviceKey;
  /** What this device is called in the room. */
  readonly name: string;
  /** What it knows as a member, or the key of the invite that it came with. */
  readonly start: (Joined & Pick<RoomRecord, 'placement'>) | { readonly inviteKey: string };
}

/** The room that this window is in, until it leaves. */
export class EnteredRoom {
  readonly #options: EnteredRoomOptions;
  readonly #entry: Entry;
  readonly #offer: MemoryOffer;
  readonly #models: RoomModels;
  readonly #room: Room;
  readonly #rates = new LoadRates();
  readonly #over = new AbortController();
  readonly #chats = new Map<ModelKey, RoomChat>();
  readonly #detach: () => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #store: SessionStore | undefined;
  /** That of the newest model which is on the disk. */
  #placement: Placement | undefined;
  #trouble: string | undefined;
  #diskTrouble: string | undefined;
  /** What follows `#/join/`. */
  #invite: string | undefined;
  #shown = '';

  /** Takes this device's share of memory and goes in. */
  static async enter(options: EnteredRoomOptions, entry: Entry): Promise<EnteredRoom> {
    const report = await options.device.report(options.settings());
    const offer = new MemoryOffer(options.share, report.compute === 'none' ? 0 : report.budgetBytes);
    const offered = await offer.enter();
    return new EnteredRoom(options, entry, offer, report, offered);
  }

  private constructor(
    options: EnteredRoomOptions,
    entry: Entry,
    offer: MemoryOffer,
    report: Awaited<ReturnType<DeviceHost['report']>>,
    { layersBytes, retainedBytes }: Awaited<ReturnType<MemoryOffer['enter']>>,
  ) {
    this.#options = options;
    this.#entry = entry;
    this.#offer = offer;
    this.#models = new RoomModels(options.files);
    const { port, settings } = options;
    const { identity, names, key, name, start } = entry;
    this.#room = new Room(
      {
        device: identity,
        key,
        names,
        name,
        profile: {
          compute: report.compute !== 'none',
          budgetBytes: layersBytes,
          storage: report.f16 && settings().storage === 'auto' ? 'f16' : 'f32',
          platform: report.platform,
        },
        retainedBytes,
        appVersion: options.appVersion,
        wireVersion: WIRE_VERSION,
        models: this.#models,
        stages: (feed) => this.#stages(feed),
        store: (feed) => {
          this.#store = new SessionStore({
            records: options.sessions,
            prefix: `${key.device}:`,
            stored: (session, ticket) => feed({ kind: 'stored', session, ticket }),
            failed: (error) => {
              this.#diskTrouble = inWords(error);
            },
            recovered: () => {
              this.#diskTrouble = undefined;
            },
          });
          return this.#store;
        },
        now: () => performance.now(),
        random: Math.random,
        post: (message) => port.postMessage({ room: message }),
        onSession: (event) => {
          for (const { engine } of this.#chats.values()) engine.receive(event);
        },
        onMembers: () => void this.keep(),
        onRemoved: () => options.onRemoved(this),
        onTrouble: (error) => this.#onTrouble(error),
      },
      start,
    );
    const kept = v.safeParse(PlacementSchema, 'placement' in start ? start.placement : undefined);
    if (kept.success) {
      this.#placement = kept.output;
      this.#room.host?.feed({ kind: 'remember', placements: [kept.output] });
    }
    this.#detach = attachLinks(port, this.#room.links);
    this.#timer = setInterval(() => {
      this.show();
      void this.#offer.refresh(() => (this.#over.signal.aborted ? undefined : this.#room.host));
    }, VIEW_MS);
  }

  get room(): Room {
    return this.#room;
  }

  get names(): RoomNames {
    return this.#entry.names;
  }

  get key(): DeviceKey {
    return this.#entry.key;
  }

  /** Puts on the disk what this device comes back with. */
  async keep(): Promise<void> {
    const { identity, names, name } = this.#entry;
    const { members } = this.#room;
    if (members === undefined) return;
    const { inviteKey } = members;
    this.#invite = inviteKey && (await inviteCode({ secret: names.secret, key: inviteKey }));
    await identity.saveRoom({
      secret: names.secret,
      keys: members.keys,
      roster: members.membership.roster,
      name,
      ...members.askFirst,
      ...(this.#placement === undefined ? {} : { placement: this.#placement }),
      lastUsed: Date.now(),
    });
  }

  /** Reads the model's header and proposes it to the room. */
  async place(source: ModelSource, contextTokens: number, byHand: LayersByHand | undefined): Promise<void> {
    if (this.#room.host === undefined) {
      throw new PersonError('This device is not in the room yet.', { problem: 'joining' });
    }
    const { signal } = this.#over;
    const opened = await this.#options.files.open(source, signal);
    await this.layOut(modelKey(roomModel(opened.file.identity, contextTokens, this.#options.appOrigin)), byHand);
  }

  async layOut(model: ModelKey, byHand: LayersByHand | undefined): Promise<void> {
    await this.#models.read(model, this.#over.signal);
    layOut(this.#room, this.#models, model, byHand);
    this.show();
  }

  /** The model that the room runs, ready for conversations; undefined where it runs none. */
  async chat(signal: AbortSignal): Promise<RoomChat | undefined> {
    const { host } = this.#room;
    const [model] = host === undefined ? [] : newestFirst(host.node);
    if (host === undefined || model === undefined) return undefined;
    const header = await this.#models.read(model, signal);
    if (this.#over.signal.aborted) throw left();
    const known = this.#chats.get(model);
    if (known !== undefined) return known;
    const chat = createRoomChat({
      model,
      known: header,
      device: this.key.device,
      feed: (input) => host.feed(input),
      nameOf: (each) => nameIn(this.#room.members, each),
      tokensOf: (session) => this.#store?.tokens(session, model) ?? [],
    });
    this.#chats.set(model, chat);
    return chat;
  }

  /** Frees what a conversation keeps in the room; an answer to it ends. */
  async forget(conversation: string): Promise<void> {
    const session = await sessionOf(conversation, this.key.device);
    for (const { engine } of this.#chats.values()) engine.end(session);
    this.#room.host?.feed({ kind: 'forget', session });
  }

  /** The person changed what models may take here. */
  async settingsChanged(): Promise<void> {
    const { device, settings } = this.#options;
    const { compute, budgetBytes } = await device.report(settings());
    this.#offer.setBudget(compute === 'none' ? 0 : budgetBytes);
    await this.#offer.refresh(() => (this.#over.signal.aborted ? undefined : this.#room.host));
  }

  /** Leaves; what is kept of the room stays on the disk. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#offer.leave();
    this.#over.abort();
    for (const { engine } of this.#chats.values()) engine.close(left());
    await this.#room.close();
    // what was said last still goes out
    setTimeout(this.#detach, VIEW_MS);
  }

  /** What was said over the room is in the conversations; here it is kept for the room alone. */
  async eraseSessions(): Promise<void> {
    this.#store?.close();
    await this.#options.sessions.deleteStartingWith(`${this.key.device}:`).catch(() => {});
  }

  view(): RoomView {
    const { members, host, isAsking, refused } = this.#room;
    const { directory } = this.names;
    if (members === undefined || host === undefined) {
      return {
        phase: isAsking ? 'asking' : 'joining',
        ...(refused === undefined ? {} : { refused }),
        directory,
        self: '',
        askFirst: true,
        devices: [],
        asking: [],
        models: [],
      };
    }
    return roomView({
      self: members.self,
      directory,
      invite: this.#invite,
      members,
      node: host.node,
      models: this.#models,
      rates: this.#rates,
      nowMs: performance.now(),
      trouble: this.#trouble ?? this.#diskTrouble,
      slot: this.#entry.identity.slot,
    });
  }

  /** Tells the window when what it shows has changed. */
  show(): void {
    if (this.#over.signal.aborted) return;
    const view = this.view();
    const text = JSON.stringify(view);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#options.onView(view);
    this.#readHeaders();
    this.#keepPlacement();
  }

  #stages(feed: NonNullable<Room['host']>['feed']): RoomStages {
    const { device, claims, settings, onLoading } = this.#options;
    return new RoomStages({
      models: this.#models,
      claims,
      openGpu: (budgetBytes) => device.open(settings(), budgetBytes),
      onLoading,
      budgetBytes: () => this.#offer.budgetBytes,
      wire: settings().storage === 'f32' ? 'f32' : 'f16',
      feed: (input) => {
        if (input.kind === 'stage-ready') this.#trouble = undefined;
        feed(input);
      },
      onTrouble: (error) => this.#onTrouble(error),
    });
  }

  #onTrouble(error: unknown): void {
    this.#trouble = inWords(error);
  }

  /** What the next answer runs on is kept: when all devices come back, somebody has to know. */
  #keepPlacement(): void {
    const node = this.#room.host?.node;
    if (node === undefined) return;
    const [model] = newestFirst(node);
    const newest = model === undefined ? undefined : node.book.highest(model)?.placement;
    if (newest === undefined || newest === this.#placement) return;
    this.#placement = newest;
    void this.keep();
  }

  /** Headers of the room's models, so that this device can drive and repair. */
  #readHeaders(): void {
    const node = this.#room.host?.node;
    if (node === undefined) return;
    for (const model of node.book.models()) {
      if (this.#models.known(model) !== undefined || !node.isCurrent(model)) continue;
      void this.#room.headers.want(model, () => node.isCurrent(model));
    }
  }
}

function left(): PersonError {
  return new PersonError('This window left the room.', { problem: 'no-room' });
}

function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
