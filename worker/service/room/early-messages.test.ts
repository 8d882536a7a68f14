import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { DeviceKey } from '../../mesh/identity/index.ts';
import { membershipOf, Prover, Verifier } from '../../mesh/identity/index.ts';
import type { NewRoom } from '../../mesh/identity/members.ts';
import { newKey, roomOf } from '../../mesh/identity/test-room.ts';
import { type Link, Links } from '../../mesh/link/index.ts';
import { channelPair, type TestChannel } from '../../mesh/link/test-channels.ts';
import { stateOf } from '../../mesh/room/test-states.ts';
import { Room, type RoomParts } from './room.ts';
import { roomCodec, type WireMessage } from './room-schemas.ts';

const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
const SDP = `v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 ${fingerprint}\r\n`;

let peer: DeviceKey;
let own: DeviceKey;
let home: NewRoom;
let room: Room;

beforeEach(async () => {
  [peer, own] = [await newKey(), await newKey()];
  home = await roomOf(peer, own);
  room = new Room(
    {
      key: own,
      names: home.names,
      name: 'Own',
      profile: stateOf('x').profile,
      appVersion: '0',
      wireVersion: 1,
      models: { layers: () => 4, bytes: () => 1, slots: () => 1 } as unknown as RoomParts['models'],
      device: { incarnation: 1 } as unknown as RoomParts['device'],
      stages: () => ({ close: async () => {} }) as unknown as ReturnType<RoomParts['stages']>,
      store: () => ({ restore: async () => [] }) as unknown as ReturnType<RoomParts['store']>,
      now: () => performance.now(),
      random: () => 0,
      post: () => {},
      onSession: () => {},
      onMembers: () => {},
      onRemoved: () => {},
      onTrouble: () => {},
    },
    { roster: home.roster, keys: home.keys, askFirst: true, askFirstChange: 0 },
  );
});
afterEach(async () => {
  vi.restoreAllMocks();
  await room.close();
});

/** The other member, which says at once what it has to say; what it hears. */
function linked(says: readonly WireMessage[]) {
  const heard: WireMessage[] = [];
  const { names, keys, roster } = home;
  const membership = membershipOf(roster);
  const links = new Links<WireMessage>({
    now: () => performance.now(),
    post: () => {},
    codec: roomCodec,
    createProver: (context) =>
      new Prover({
        key: peer,
        room: names,
        part: { role: 'member', membership: () => membership, keys: () => keys, verifier: new Verifier(names.id) },
        ...context,
      }),
    opened: (link: Link<WireMessage>) => {
      for (const message of says) link.sendControl(message);
      return { control: (message) => heard.push(message), frame: () => {}, closed: () => {} };
    },
  });
  const [control, data] = [channelPair(), channelPair()];
  [links, room.links].forEach((end, at) => {
    end.receive({
      kind: 'connection',
      connection: 0,
      side: at === 0 ? 'called' : 'answered',
      address: `at ${at}`,
      ownAddress: `at ${1 - at}`,
      control: control[at] as unknown as RTCDataChannel,
      data: data[at] as unknown as RTCDataChannel,
    });
    const described = { ownDescription: SDP, description: SDP, maxMessageBytes: 1e6 };
    end.receive({ kind: 'described', connection: 0, ...described });
  });
  const ends: readonly TestChannel[] = [...control, ...data];
  for (const end of ends) end.open();
  /** Carries on, as long as it takes: signatures are made elsewhere. */
  const until = async (holds: () => boolean) => {
    for (; !holds(); await new Promise((resolve) => setTimeout(resolve, 1))) for (const end of ends) end.deliver();
  };
  return { heard, links, until };
}

/** Keeps the device busy with signatures; returns what ends that. */
function busy(): () => void {
  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  vi.spyOn(Verifier.prototype, 'takeIn').mockImplementationOnce(async (roster) => {
    await over;
    return { roster, news: { entries: [], tombstones: [] }, refused: 0 };
  });
  room.members?.hear({ entries: [], tombstones: [] });
  return end;
}

it('what a member says before this device knows of its link is answered all the same', async () => {
  const id = { model: 'm', epoch: 512, proposer: peer.device };
  const end = busy();
  const { heard, until } = linked([{ kind: 'digest', states: [], placements: [id] }]);
  await until(() => room.links.to(peer.device)?.statistics.receivedControl === 1);
  expect(room.host?.node.links.isUp(peer.device)).toBe(false);
  end();
  await until(() => heard.some(({ kind }) => kind === 'digest'));
  expect(heard.filter(({ kind }) => kind === 'want')).toEqual([{ kind: 'want', states: [], placements: [id] }]);
});

it('a member that says very much before its link is known is let go', async () => {
  const end = busy();
  const many = Array.from({ length: 1000 }, () => ({ kind: 'want', states: [], placements: [] }) as const);
  const { links, until } = linked(many);
  await until(() => links.open.length > 0);
  await until(() => links.open.length === 0);
  end();
});
