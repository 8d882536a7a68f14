import type { LayersByHand, ModelSource, RoomApi, RoomView } from '../../api.ts';
import { PersonError } from '../../errors.ts';
import {
  cleanName,
  type Device,
  type DeviceKey,
  makeRoom,
  namesOfRoom,
  openDevice,
  RecordStore,
  type RoomNames,
  readInvite,
  type SlotLocks,
} from '../../mesh/identity/index.ts';
import type { ModelKey } from '../../mesh/types.ts';
import { EnteredRoom, type EnteredRoomOptions, type Entry } from './entered-room.ts';
import type { RoomChat } from './room-chat.ts';
import { eraseConversation } from './session-store.ts';

const SESSIONS = 'shoal-sessions';
const MAX_NAME_FALLBACK = 'A device';

export interface RoomServiceOptions extends Omit<EnteredRoomOptions, 'sessions' | 'onView' | 'onRemoved'> {
  readonly locks: SlotLocks | undefined;
  readonly onRoom: (room: RoomView | undefined, removed: boolean) => void;
}

/** Enters and leaves rooms; what concerns the room that this window is in goes to that one. */
export class RoomService implements RoomApi {
  readonly #options: RoomServiceOptions;
  readonly #sessions = new RecordStore(SESSIONS);
  #device: Promise<Device> | undefined;
  #current: EnteredRoom | undefined;
  /** Its own tombstone is no other's doing. */
  #leaving: EnteredRoom | undefined;

  constructor(options: RoomServiceOptions) {
    this.#options = options;
  }

  async room(): Promise<RoomView | undefined> {
    return this.#current?.view();
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
    return this.#enter(names, key, own, known ?? { inviteKey });
  }

  async returnToRoom(slotBefore?: number): Promise<RoomView | undefined> {
    const device = await this.#open(slotBefore);
    const [last] = await device.rooms();
    if (last === undefined || this.#current !== undefined) return this.room();
    return this.#enter(await namesOfRoom(last.secret), await device.keyFor(last.secret), last.name, last);
  }

  async leaveRoom(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    this.#leaving = current;
    const { members } = current.room;
    await members?.leave().catch(() => {});
    // the tombstone is for good: with another invite it comes back as a new device
    await this.#forgetRoom(current, members !== undefined);
    this.#options.onRoom(undefined, false);
  }

  async setAskFirst(askFirst: boolean): Promise<void> {
    await this.#inside.room.members?.setAskFirst(askFirst);
    this.#inside.show();
  }

  async answerAsking(device: string, allow: boolean): Promise<void> {
    await this.#inside.room.members?.answer(device, allow);
    this.#inside.show();
  }

  async removeDevice(device: string): Promise<void> {
    await this.#inside.room.members?.remove(device);
    this.#inside.show();
  }

  async placeInRoom(source: ModelSource, contextTokens: number, byHand?: LayersByHand): Promise<void> {
    await this.#inside.place(source, contextTokens, byHand);
  }

  async layOut(model: ModelKey, byHand?: LayersByHand): Promise<void> {
    await this.#inside.layOut(model, byHand);
  }

  /** The model that the room runs, ready for conversations; undefined where it runs none. */
  async chat(signal: AbortSignal): Promise<RoomChat | undefined> {
    return this.#current?.chat(signal);
  }

  /** The person changed what models may take here. */
  async settingsChanged(): Promise<void> {
    await this.#current?.settingsChanged();
  }

  async destroyDevice(): Promise<void> {
    await this.#current?.room.stages?.destroyDevice();
  }

  /** Frees what conversations keep in the room. */
  async forget(conversation: string): Promise<void> {
    await this.#current?.forget(conversation);
    // also what an earlier load drove, or another window
    await eraseConversation(this.#sessions, conversation).catch(() => {});
  }

  get #inside(): EnteredRoom {
    if (this.#current === undefined) throw new PersonError('This window is in no room.', { problem: 'no-room' });
    return this.#current;
  }

  #open(slotBefore?: number): Promise<Device> {
    this.#device ??= openDevice({ locks: this.#options.locks, slotBefore });
    return this.#device;
  }

  async #enter(names: RoomNames, key: DeviceKey, name: string, start: Entry['start']): Promise<RoomView> {
    const entered = await EnteredRoom.enter(
      {
        ...this.#options,
        sessions: this.#sessions,
        onView: (view) => this.#options.onRoom(view, false),
        onRemoved: (room) => void this.#removed(room),
      },
      { identity: await this.#open(), names, key, name, start },
    );
    this.#current = entered;
    await entered.keep();
    return entered.view();
  }

  /** Another member took this device out. Its key is worth nothing in that room any more. */
  async #removed(room: EnteredRoom): Promise<void> {
    if (this.#current !== room || this.#leaving === room) return;
    await this.#forgetRoom(room, true);
    if (this.#current === undefined) this.#options.onRoom(undefined, true);
  }

  async #forgetRoom(room: EnteredRoom, wasMember: boolean): Promise<void> {
    const device = await this.#open();
    await this.#leaveCurrent();
    await room.eraseSessions();
    await device.forgetRoom(room.names.secret);
    if (wasMember) await device.renewKey(room.names.secret);
  }

  async #leaveCurrent(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.close();
  }
}
