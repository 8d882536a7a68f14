import * as v from 'valibot';
import type { LayersByHand, ModelSource, RoomApi, RoomView, Settings } from '../../api.ts';
import { bytesInWords } from '../../bytes-in-words.ts';
import { InternalError, MemoryError, PersonError } from '../../errors.ts';
import {
  cleanName,
  type Device,
  type DeviceKey,
  inviteCode,
  type Joined,
  makeRoom,
  namesOfRoom,
  openDevice,
  RecordStore,
  type RoomNames,
  type RoomRecord,
  readInvite,
  type SlotLocks,
} from '../../mesh/identity/index.ts';
import { attachLinks, type WindowPort } from '../../mesh/link/index.ts';
import { divideOffer } from '../../mesh/room/retention-pool.ts';
import type { DeviceId, ModelKey, Placement, StageAssignment } from '../../mesh/types.ts';
import { WIRE_VERSION } from '../../mesh/wire/frame.ts';
import { quantizationOf } from '../../weights/quantization.ts';
import type { DeviceHost } from '../device-host.ts';
import type { MemoryClaims } from '../memory-claims.ts';
import type { ModelFiles } from '../model-files.ts';
import { modelName, servedName } from '../model-name.ts';
import { stagesByHand } from './by-hand.ts';
import { modelKey, readModelKey, roomModel } from './model-key.ts';
import { Room } from './room.ts';
import { createRoomChat, type RoomChat } from './room-chat.ts';
import { RoomModels } from './room-models.ts';
import { PlacementSchema } from './room-schemas.ts';
import type { RoomShare } from './room-share.ts';
import { RoomStages } from './room-stages.ts';
import { newestFirst, roomView } from './room-view.ts';
import { sessionOf } from './session-id.ts';
import { eraseConversation, SessionStore } from './session-store.ts';

const VIEW_MS = 250;
/** How often is looked whether other windows take more or less. */
const OFFER_MS = 2000;
const SESSIONS = 'shoal-sessions';
const MAX_NAME_FALLBACK = 'A device';

export interface RoomServiceOptions {
  readonly port: WindowPort;
  readonly device: DeviceHost;
  readonly files: ModelFiles;
  readonly claims: MemoryClaims;
  readonly share: RoomShare;
  readonly settings: () => Settings;
  readonly appOrigin: string;
  readonly appVersion: string;
  readonly locks: SlotLocks | undefined;
  readonly onRoom: (room: RoomView | undefined, removed: boolean) => void;
  /** A model of the room is to be loaded here: what this window has loaded for itself gives way, once it has answered. */
  readonly onLoading: () => Promise<void>;
}

/** The room that this window is in. */
export class RoomService implements RoomApi {
  readonly #options: RoomServiceOptions;
  readonly #sessions = new RecordStore(SESSIONS);
  #device: Promise<Device> | undefined;
  #current: Current | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #shown = '';
  /** What models may take on this computer, of all windows together. */
  #budgetBytes = 0;
  #offeredAt = 0;

  constructor(options: RoomServiceOptions) {
    this.#options = options;
  }

  async room(): Promise<RoomView | undefined> {
    return this.#view();
  }

  async makeRoom(name: string, askFirst: boolean): Promise<RoomView> {
    await this.#leaveCurrent();
    const device = await this.#open();
    const own = cleanName(name, MAX_NAME_FALLBACK);
    const { names, roster, keys } = await makeRoom(device.key, own);
    return this.#enter(names, device.key, own, { roster, keys, askFirst, askFirstChange: 0 });
  }

  async joinRoom(invite: string, name: string): Promise<RoomView> {
    const { secret, key: inviteKey } = await readInvite(invite);
    await this.#leaveCurrent();
    const device = await this.#open();
    const names = await namesOfRoom(secret);
    const known = (await device.rooms()).find((room) => room.secret === secret);
    const key = await device.keyFor(secret);
    const own = cleanName(name, MAX_NAME_FALLBACK);
    if (known !== undefined) return this.#enter(names, key, own, known);
    return this.#enter(names, key, own, { inviteKey });
  }

  async returnToRoom(slotBefore?: number): Promise<RoomView | undefined> {
    const device = await this.#open(slotBefore);
    const [last] = await device.rooms();
    if (last === undefined || this.#current !== undefined) return this.#view();
    return this.#enter(await namesOfRoom(last.secret), await device.keyFor(last.secret), last.name, last);
  }

  async leaveRoom(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    current.isLeaving = true; // its own tombstone is no other's doing
    await current.room.members?.leave().catch(() => {});
    const device = await this.#open();
    await this.#leaveCurrent();
    await this.#eraseSessions(current);
    await device.forgetRoom(current.names.secret);
    // the tombstone is for good: with another invite it comes back as a new device
    if (current.room.members !== undefined) await device.renewKey(current.names.secret);
    this.#options.onRoom(undefined, false);
  }

  async setAskFirst(askFirst: boolean): Promise<void> {
    await this.#inside.room.members?.setAskFirst(askFirst);
    this.#show();
  }

  async answerAsking(device: string, allow: boolean): Promise<void> {
    await this.#inside.room.members?.answer(device, allow);
    this.#show();
  }

  async removeDevice(device: string): Promise<void> {
    await this.#inside.room.members?.remove(device);
    this.#show();
  }

  async placeInRoom(source: ModelSource, contextTokens: number, byHand?: LayersByHand): Promise<void> {
    const { room, models } = this.#inside;
    const { host } = room;
    if (host === undefined) throw new PersonError('This device is not in the room yet.', { problem: 'joining' });
    const { signal } = this.#inside.over;
    const opened = await this.#options.files.open(source, signal);
    const named = roomModel(opened.file.identity, contextTokens, this.#options.appOrigin);
    const model = modelKey(named);
    await models.read(model, signal);
    const dealt = byHand === undefined ? host.node.preview(model) : { stages: this.#byHand(model, byHand) };
    if (dealt === undefined) throw new InternalError('The model that was just read is not known.');
    if (!('stages' in dealt)) throw tooLarge(dealt.missingBytes);
    this.#place(model, dealt.stages);
  }

  async layByHand(model: ModelKey, byHand: LayersByHand): Promise<void> {
    const { models, over } = this.#inside;
    await models.read(model, over.signal);
    this.#place(model, this.#byHand(model, byHand));
  }

  #byHand(model: ModelKey, byHand: LayersByHand): StageAssignment[] {
    const { room, models } = this.#inside;
    const { host } = room;
    if (host === undefined) throw new PersonError('This device is not in the room yet.', { problem: 'joining' });
    return stagesByHand(byHand, {
      layers: models.layers(model) ?? 0,
      candidates: host.node.candidates(model).map(({ device, profile, freeBytes, stages }) => ({
        device,
        profile,
        freeBytes,
        holds: (first, last) =>
          stages.some(
            (stage) =>
              stage.placement.model === model && stage.first === first && stage.last === last && !stage.givesWay,
          ),
      })),
      bytes: (first, last, profile) => models.bytes(model, first, last, profile),
      nameOf: (device) => nameIn(room, device),
    });
  }

  #place(model: ModelKey, stages: readonly StageAssignment[]): void {
    this.#inside.room.host?.feed({ kind: 'place', model, stages });
    this.#show();
  }

  /** The model that the room runs, ready for conversations; undefined where it runs none. */
  async chat(signal: AbortSignal): Promise<RoomChat | undefined> {
    const current = this.#current;
    const host = current?.room.host;
    if (current === undefined || host === undefined) return undefined;
    const [model] = newestFirst(host.node);
    if (model === undefined) return undefined;
    const known = current.chats.get(model);
    if (known !== undefined) return known;
    const chat = createRoomChat({
      model,
      known: await current.models.read(model, signal),
      device: current.key.device,
      feed: (input) => host.feed(input),
      nameOf: (each) => nameIn(current.room, each),
      tokensOf: (session) => current.store?.tokens(session, model) ?? [],
    });
    current.chats.set(model, chat);
    return chat;
  }

  async destroyDevice(): Promise<void> {
    await this.#current?.room.stages?.destroyDevice();
  }

  /** Frees what conversations keep in the room. */
  async forget(conversation: string): Promise<void> {
    const { room, key } = this.#current ?? {};
    if (room !== undefined && key !== undefined) {
      room.host?.feed({ kind: 'forget', session: await sessionOf(conversation, key.device) });
    }
    // also what an earlier load drove, or another window
    await eraseConversation(this.#sessions, conversation).catch(() => {});
  }

  // ---------- inside ----------

  get #inside(): Current {
    if (this.#current === undefined) throw new PersonError('This window is in no room.', { problem: 'no-room' });
    return this.#current;
  }

  #open(slotBefore?: number): Promise<Device> {
    this.#device ??= openDevice({ locks: this.#options.locks, slotBefore });
    return this.#device;
  }

  async #enter(
    names: RoomNames,
    key: DeviceKey,
    name: string,
    start: (Joined & Pick<RoomRecord, 'placement'>) | { readonly inviteKey: string },
  ): Promise<RoomView> {
    const { port, device: host, files, claims, share, settings, appVersion } = this.#options;
    const device = await this.#open();
    const report = await host.report(settings());
    this.#budgetBytes = report.compute === 'none' ? 0 : report.budgetBytes;
    await share.enter();
    const offered = await share.offered(this.#budgetBytes);
    const { layersBytes, retainedBytes } = divideOffer(offered);
    const kept = v.safeParse(PlacementSchema, 'placement' in start ? start.placement : undefined);
    const placement = kept.success ? kept.output : undefined;
    const models = new RoomModels(files);
    const storage = report.f16 && settings().storage === 'auto' ? 'f16' : 'f32';
    const current: Current = {
      names,
      key,
      name,
      slot: device.slot,
      store: undefined,
      models,
      over: new AbortController(),
      chats: new Map(),
      detach: () => {},
      offered,
      placement,
      isLeaving: false,
      trouble: undefined,
      invite: undefined,
      room: undefined as unknown as Room,
    };
    const onTrouble = (error: unknown) => {
      current.trouble = error instanceof Error ? error.message : String(error);
    };
    current.room = new Room(
      {
        device,
        key,
        names,
        name,
        profile: {
          compute: report.compute !== 'none',
          budgetBytes: layersBytes,
          storage,
          platform: report.platform,
        },
        retainedBytes,
        appVersion,
        wireVersion: WIRE_VERSION,
        models,
        stages: (feed) =>
          new RoomStages({
            models,
            claims,
            openGpu: (budgetBytes) => host.open(settings(), budgetBytes),
            onLoading: this.#options.onLoading,
            budgetBytes: () => this.#budgetBytes,
            wire: settings().storage === 'f32' ? 'f32' : 'f16',
            feed: (input) => {
              if (input.kind === 'stage-ready') current.trouble = undefined;
              feed(input);
            },
            onTrouble,
          }),
        store: (feed) => {
          current.store = new SessionStore({
            records: this.#sessions,
            prefix: `${key.device}:`,
            stored: (session, ticket) => feed({ kind: 'stored', session, ticket }),
            failed: onTrouble,
          });
          return current.store;
        },
        now: () => performance.now(),
        random: Math.random,
        post: (message) => port.postMessage({ room: message }),
        onSession: (event) => {
          for (const { engine } of current.chats.values()) engine.receive(event);
        },
        onMembers: () => void this.#keep(current),
        onRemoved: () => void this.#removed(current),
        onTrouble,
      },
      start,
    );
    if (placement !== undefined) current.room.host?.feed({ kind: 'remember', placements: [placement] });
    current.detach = attachLinks(port, current.room.links);
    this.#current = current;
    await this.#keep(current);
    this.#timer = setInterval(() => {
      this.#show();
      void this.#offer();
    }, VIEW_MS);
    const view = await this.#view();
    if (view === undefined) throw new InternalError('The room was left while it was entered.');
    return view;
  }

  async #keep(current: Current): Promise<void> {
    const { room, names, name } = current;
    const { members } = room;
    if (members === undefined) return;
    const { inviteKey } = members;
    current.invite = inviteKey && (await inviteCode({ secret: names.secret, key: inviteKey }));
    const record: RoomRecord = {
      secret: names.secret,
      keys: members.keys,
      roster: members.membership.roster,
      name,
      ...members.askFirst,
      ...(current.placement === undefined ? {} : { placement: current.placement }),
      lastUsed: Date.now(),
    };
    await (await this.#open()).saveRoom(record);
  }

  /** Another member took this device out. Its key is worth nothing in that room any more. */
  async #removed(current: Current): Promise<void> {
    if (this.#current !== current || current.isLeaving) return;
    const device = await this.#open();
    await this.#leaveCurrent();
    await this.#eraseSessions(current);
    await device.forgetRoom(current.names.secret);
    await device.renewKey(current.names.secret);
    if (this.#current === undefined) this.#options.onRoom(undefined, true);
  }

  /** What was said over the room is in the conversations; here it is kept for the room alone. */
  async #eraseSessions({ store, key }: Current): Promise<void> {
    store?.close();
    await this.#sessions.deleteStartingWith(`${key.device}:`).catch(() => {});
  }

  async #leaveCurrent(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    clearInterval(this.#timer);
    this.#options.share.leave();
    this.#shown = '';
    current.over.abort();
    const left = new PersonError('This window left the room.', { problem: 'no-room' });
    for (const { engine } of current.chats.values()) engine.close(left);
    await current.room.close();
    // what was said last still goes out
    setTimeout(current.detach, VIEW_MS);
  }

  /** The person changed what models may take here. */
  async settingsChanged(): Promise<void> {
    if (this.#current === undefined) return;
    const { device, settings } = this.#options;
    const { compute, budgetBytes } = await device.report(settings());
    this.#budgetBytes = compute === 'none' ? 0 : budgetBytes;
    this.#offeredAt = 0;
    await this.#offer();
  }

  /** Tells the room when there is more or less to be had here: other windows take of the same memory. */
  async #offer(): Promise<void> {
    const current = this.#current;
    const now = performance.now();
    if (current?.room.host === undefined || now - this.#offeredAt < OFFER_MS) return;
    this.#offeredAt = now;
    const bytes = await this.#options.share.offered(this.#budgetBytes);
    if (this.#current !== current || bytes === current.offered) return;
    current.offered = bytes;
    const { layersBytes, retainedBytes } = divideOffer(bytes);
    current.room.host.feed({ kind: 'budget', bytes: layersBytes, retainedBytes });
  }

  /** Tells the window when what it shows has changed. */
  #show(): void {
    const view = this.#viewNow();
    const text = JSON.stringify(view);
    if (view === undefined || text === this.#shown) return;
    this.#shown = text;
    this.#options.onRoom(view, false);
    this.#readHeaders();
    this.#keepPlacement();
  }

  async #view(): Promise<RoomView | undefined> {
    return this.#viewNow();
  }

  #viewNow(): RoomView | undefined {
    const current = this.#current;
    if (current === undefined) return undefined;
    const { room, names, models, trouble } = current;
    const { members, host } = room;
    if (members === undefined || host === undefined) {
      return {
        phase: room.isAsking ? 'asking' : 'joining',
        ...(room.refused === undefined ? {} : { refused: room.refused }),
        directory: names.directory,
        self: '',
        askFirst: true,
        devices: [],
        asking: [],
        models: [],
      };
    }
    return roomView({
      self: members.self,
      directory: names.directory,
      invite: current.invite,
      members,
      node: host.node,
      models,
      nameOf: nameOfModel,
      trouble,
      slot: current.slot,
    });
  }

  /** What the next answer runs on is kept: when all devices come back, somebody has to know. */
  #keepPlacement(): void {
    const current = this.#current;
    const node = current?.room.host?.node;
    if (current === undefined || node === undefined) return;
    const [model] = newestFirst(node);
    const newest = model === undefined ? undefined : node.book.highest(model)?.placement;
    if (newest === undefined || newest === current.placement) return;
    current.placement = newest;
    void this.#keep(current);
  }

  /** Headers of the room's models, so that this device can drive and repair. */
  #readHeaders(): void {
    const current = this.#current;
    const host = current?.room.host;
    if (current === undefined || host === undefined) return;
    const { node } = host;
    for (const model of node.book.models()) {
      if (current.models.known(model) !== undefined || !node.isCurrent(model)) continue;
      void current.room.headers.want(model, () => node.isCurrent(model));
    }
  }
}

interface Current {
  readonly names: RoomNames;
  readonly key: DeviceKey;
  store: SessionStore | undefined;
  readonly name: string;
  readonly slot: number | undefined;
  readonly models: RoomModels;
  readonly over: AbortController;
  readonly chats: Map<ModelKey, RoomChat>;
  room: Room;
  detach: () => void;
  /** Bytes that the room was last told of. */
  offered: number;
  /** That of the newest model which is on the disk. */
  placement: Placement | undefined;
  isLeaving: boolean;
  trouble: string | undefined;
  /** What follows `#/join/`. */
  invite: string | undefined;
}

function nameIn({ members }: Room, device: DeviceId): string {
  return members?.membership.member(device)?.name ?? 'A device that left';
}

function nameOfModel(model: ModelKey): string {
  try {
    const { where } = readModelKey(model);
    if (where.kind === 'hub') return modelName(where, where.file, quantizationOf(where.file) ?? '', where.repository);
    return servedName(where.kind === 'server' ? where.file : where.address);
  } catch {
    return 'A model of another version';
  }
}

function tooLarge(missingBytes: number): MemoryError {
  return new MemoryError(
    missingBytes === 0
      ? 'The devices that have room for this model do not reach one another. Bring them into the same network.'
      : `The room's devices lack ${bytesInWords(missingBytes)} for this model. Invite another device, or choose a smaller model.`,
    { neededBytes: missingBytes, allowedBytes: 0 },
  );
}
