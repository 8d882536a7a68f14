import 'fake-indexeddb/auto';
import { afterEach, expect, test } from 'vitest';
import type { RoomView, Settings } from '../../api.ts';
import { RecordStore } from '../../mesh/identity/index.ts';
import { createMemoryLocks } from '../../shards/locks.ts';
import type { DeviceHost } from '../device-host.ts';
import { MemoryClaims } from '../memory-claims.ts';
import type { ModelFiles } from '../model-files.ts';
import { RoomService } from './room-service.ts';
import type { RoomShare } from './room-share.ts';
import { sessionOf } from './session-id.ts';

const opened: RoomService[] = [];

afterEach(async () => {
  for (const service of opened.splice(0)) await service.leaveRoom();
});

/** The one window of a browser, without a network: what its person sees, and whether it offers memory. */
function openWindow() {
  const seen = { rooms: [] as (RoomView | undefined)[], offering: 0 };
  const report = { compute: 'gpu', budgetBytes: 4e9, f16: true, platform: 'mac' };
  const service = new RoomService({
    port: { postMessage() {}, addEventListener() {}, removeEventListener() {} },
    device: { report: async () => report } as unknown as DeviceHost,
    files: {} as ModelFiles,
    claims: new MemoryClaims(undefined),
    share: {
      enter: async () => void seen.offering++,
      leave: () => void seen.offering--,
      offered: async (bytes: number) => bytes,
    } as unknown as RoomShare,
    settings: () => ({ storage: 'auto' }) as Settings,
    appOrigin: 'https://shoal.example',
    appVersion: '1',
    locks: createMemoryLocks(),
    onRoom: (room) => seen.rooms.push(room),
    onLoading: async () => {},
  });
  opened.push(service);
  return { service, seen };
}

test('a room is made, and is there again after a reload; leaving forgets it', async () => {
  const before = openWindow();
  const made = await before.service.makeRoom('  Kitchen iPad ', true);
  expect(made).toMatchObject({ phase: 'in', askFirst: true, devices: [{ name: 'Kitchen iPad', own: true }] });
  expect(made.invite).toBeTypeOf('string');
  expect(before.seen.offering).toBe(1);

  const { service, seen } = openWindow();
  const again = await service.returnToRoom(made.slot);
  expect(again?.directory).toBe(made.directory);
  await service.setAskFirst(false);
  expect((await service.room())?.askFirst).toBe(false);

  await service.leaveRoom();
  expect(seen.rooms.at(-1)).toBeUndefined();
  expect(seen.offering).toBe(0);
  expect(await service.room()).toBeUndefined();
  expect(await service.returnToRoom()).toBeUndefined();
  await expect(service.setAskFirst(true)).rejects.toThrow('in no room');
});

test('whoever left comes back with the invite as another device, and has nothing of what was said', async () => {
  const { service } = openWindow();
  const made = await service.makeRoom('Mac', false);
  const records = new RecordStore('shoal-sessions');
  const session = await sessionOf('conversation', made.self);
  await records.set(`${made.self}:${session}`, { tokens: [1, 2, 3] });
  await service.leaveRoom();
  expect(await records.startingWith(`${made.self}:`)).toEqual([]);

  const joining = await service.joinRoom(`#/join/${made.invite}`, 'Mac');
  expect(joining).toMatchObject({ phase: 'joining', directory: made.directory });
});

test('making another room leaves the one before, which is still known', async () => {
  const { service, seen } = openWindow();
  const first = await service.makeRoom('Mac', false);
  const second = await service.makeRoom('Mac', false);
  expect(second.directory).not.toBe(first.directory);
  expect(seen.offering).toBe(1);
  const back = await service.joinRoom(`#/join/${first.invite}`, 'Mac');
  expect(back).toMatchObject({ phase: 'in', directory: first.directory });
});
