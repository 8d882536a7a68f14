import * as v from 'valibot';
import type { RoomKey, Roster } from '../types.ts';
import { type DeviceKey, generateKey, openKey, type StoredKey } from './device-key.ts';
import { NameSchema, RoomKeySchema, RosterSchema } from './schemas.ts';
import { namesOfRoom } from './secrets.ts';
import { RecordStore } from './store.ts';

/** The part of Web Locks that is used; `navigator.locks` fits. */
export interface SlotLocks {
  request(
    name: string,
    options: { readonly signal?: AbortSignal; readonly ifAvailable?: boolean },
    callback: (lock: unknown) => Promise<void>,
  ): Promise<unknown>;
}

/** Windows of one origin that are devices at the same time; more share nothing but last as long as they are open. */
const MAX_SLOTS = 64;
/** A window that reloads may have to wait until its old worker is gone. */
const OWN_SLOT_WAIT_MS = 2000;
const LOCK = 'shoal-device:';
const DATABASE = 'shoal-device';

/** A room as a device keeps it, to return to. */
export interface RoomRecord {
  readonly secret: string;
  readonly keys: readonly RoomKey[];
  readonly roster: Roster;
  /** For people. */
  readonly name: string;
  readonly askFirst: boolean;
  readonly askFirstChange: number;
  /** How the model that was placed last lies over the room: somebody has to know when all come back. */
  readonly placement?: unknown;
  /** Wall time, milliseconds since 1970: only to show and to order. */
  readonly lastUsed: number;
}

const RoomRecordSchema: v.GenericSchema<unknown, RoomRecord> = v.strictObject({
  secret: v.string(),
  // keys that were kept before their makers signed them hold no more: a member makes the next
  keys: v.pipe(
    v.array(RoomKeySchema),
    v.transform((keys) => keys.filter((key): key is RoomKey => key.signature !== undefined)),
  ),
  roster: RosterSchema,
  name: NameSchema,
  askFirst: v.boolean(),
  // rooms that were kept before members agreed on it
  askFirstChange: v.optional(v.number(), 0),
  placement: v.optional(v.unknown()),
  lastUsed: v.number(),
});

export interface OpenDeviceOptions {
  /** Absent where the browser has none. */
  readonly locks?: SlotLocks | undefined;
  /** The slot that this window had before it was reloaded (the window's sessionStorage knows). */
  readonly slotBefore?: number | undefined;
  readonly database?: string;
}

/** What this window is in rooms: key, incarnation and rooms of its slot. `close` gives the slot up, and so does the window's end. */
export interface Device {
  /** Absent when nothing lasts: a key for this load only. */
  readonly slot?: number;
  /** Why not, for people to know. */
  readonly notLasting?: 'no-storage' | 'no-locks' | 'too-many-windows';
  /** Risen once for this load. */
  readonly incarnation: number;
  /** Raises it: for each rejoin. */
  nextIncarnation(): Promise<number>;
  /** Its key in all rooms but those to which it returned after a removal. */
  readonly key: DeviceKey;
  /** Its key in a room; the same in all but those to which it returned after a removal. */
  keyFor(secret: string): Promise<DeviceKey>;
  /** A new key for one room, for a device that was removed and is invited again. */
  renewKey(secret: string): Promise<DeviceKey>;
  /** Last used first. Damaged ones are left out. */
  rooms(): Promise<readonly RoomRecord[]>;
  saveRoom(record: RoomRecord): Promise<void>;
  /** Forgets a room and the key that was only for it. */
  forgetRoom(secret: string): Promise<void>;
  close(): void;
}

/** Takes the lowest free slot. Never fails for want of storage: then the device lasts as long as its window, and says so. */
export async function openDevice({ locks, slotBefore, database = DATABASE }: OpenDeviceOptions): Promise<Device> {
  const store = new RecordStore(database);
  if (!(await isUsable(store))) return passingDevice('no-storage');
  if (!locks) return passingDevice('no-locks');
  const taken = await takeSlot(locks, slotBefore);
  if (!taken) return passingDevice('too-many-windows');
  try {
    return await lastingDevice(store, taken);
  } catch {
    taken.release();
    return passingDevice('no-storage');
  }
}

interface TakenSlot {
  readonly slot: number;
  readonly release: () => void;
}

async function lastingDevice(store: RecordStore, { slot, release }: TakenSlot): Promise<Device> {
  const shared = await openKey(await keptKey(store, `key:${slot}`));
  let incarnation = 0;
  const nextIncarnation = async () => {
    const own = incarnation;
    incarnation = await store
      .update(`incarnation:${slot}`, (before) => Math.max(own, typeof before === 'number' ? before : 0) + 1)
      .catch(() => own + 1); // a full disk: it still rises for those who see this load
    return incarnation;
  };
  await nextIncarnation();
  const of = async (kind: 'key' | 'room', secret: string) => `${kind}:${slot}:${(await namesOfRoom(secret)).directory}`;
  return {
    slot,
    key: shared,
    get incarnation() {
      return incarnation;
    },
    nextIncarnation,
    keyFor: async (secret) => {
      const own = asKey(await store.get(await of('key', secret)));
      return own ? openKey(own) : shared;
    },
    renewKey: async (secret) => {
      const key = await generateKey();
      await store.set(await of('key', secret), key);
      return openKey(key);
    },
    rooms: async () => {
      const records = await store.startingWith(`room:${slot}:`);
      const whole = records.flatMap((record) => {
        const read = v.safeParse(RoomRecordSchema, record);
        return read.success ? [read.output] : [];
      });
      return whole.sort((a, b) => b.lastUsed - a.lastUsed);
    },
    saveRoom: async (record) => store.set(await of('room', record.secret), record),
    forgetRoom: async (secret) => {
      await store.delete(await of('room', secret));
      await store.delete(await of('key', secret));
    },
    close: release,
  };
}

/** Everything in memory. */
async function passingDevice(notLasting: NonNullable<Device['notLasting']>): Promise<Device> {
  const shared = await openKey(await generateKey());
  const keys = new Map<string, DeviceKey>();
  const rooms = new Map<string, RoomRecord>();
  let incarnation = 1;
  return {
    notLasting,
    key: shared,
    get incarnation() {
      return incarnation;
    },
    nextIncarnation: async () => ++incarnation,
    keyFor: async (secret) => keys.get(secret) ?? shared,
    renewKey: async (secret) => {
      const key = await openKey(await generateKey());
      keys.set(secret, key);
      return key;
    },
    rooms: async () => [...rooms.values()].sort((a, b) => b.lastUsed - a.lastUsed),
    saveRoom: async (record) => {
      rooms.set(record.secret, record);
    },
    forgetRoom: async (secret) => {
      rooms.delete(secret);
      keys.delete(secret);
    },
    close: () => {},
  };
}

async function isUsable(store: RecordStore): Promise<boolean> {
  try {
    await store.update('opened', (before) => (typeof before === 'number' ? before : 0) + 1);
    return true;
  } catch {
    return false;
  }
}

async function keptKey(store: RecordStore, name: string): Promise<StoredKey> {
  const kept = asKey(await store.get(name));
  if (kept) return kept;
  const made = await generateKey();
  await store.set(name, made);
  // some browsers store keys and give back nothing: better to know now
  const back = asKey(await store.get(name));
  if (!back) throw new TypeError('The browser does not keep keys.');
  return back;
}

function asKey(value: unknown): StoredKey | undefined {
  if (typeof value !== 'object' || value === null || !('privateKey' in value) || !('publicKey' in value))
    return undefined;
  const { privateKey, publicKey } = value;
  return privateKey instanceof CryptoKey && publicKey instanceof CryptoKey ? { privateKey, publicKey } : undefined;
}

async function takeSlot(locks: SlotLocks, slotBefore: number | undefined): Promise<TakenSlot | undefined> {
  if (slotBefore !== undefined && slotBefore >= 0 && slotBefore < MAX_SLOTS) {
    const release = await hold(locks, slotBefore, { signal: AbortSignal.timeout(OWN_SLOT_WAIT_MS) });
    if (release) return { slot: slotBefore, release };
  }
  for (let slot = 0; slot < MAX_SLOTS; slot++) {
    const release = await hold(locks, slot, { ifAvailable: true });
    if (release) return { slot, release };
  }
  return undefined;
}

/** Undefined when somebody else has it, or has had it too long. */
function hold(locks: SlotLocks, slot: number, options: { signal?: AbortSignal; ifAvailable?: boolean }) {
  return new Promise<(() => void) | undefined>((resolve) => {
    locks
      .request(`${LOCK}${slot}`, options, (lock) =>
        lock ? new Promise<void>((release) => resolve(release)) : Promise.resolve(resolve(undefined)),
      )
      .catch(() => resolve(undefined));
  });
}
