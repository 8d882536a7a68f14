import { beforeEach, describe, expect, it } from 'vitest';
import type { DeviceKey, OwnPart } from '../../mesh/identity/index.ts';
import { admit, membershipOf, Prover, unite, Verifier, welcomeMessages } from '../../mesh/identity/index.ts';
import type { NewRoom } from '../../mesh/identity/members.ts';
import { newKey, roomOf } from '../../mesh/identity/test-room.ts';
import { type Link, Links, type ToWindow } from '../../mesh/link/index.ts';
import { channelPair } from '../../mesh/link/test-channels.ts';
import type { Roster } from '../../mesh/types.ts';
import { Room, type RoomParts } from './room.ts';

const MEGABYTE = 1_000_000;
const ASKING = { askFirst: true, askFirstChange: 0 };
const fingerprint = Array.from({ length: 32 }, () => 'AB').join(':');
const SDP = `v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 ${fingerprint}\r\n`;

let maker: DeviceKey;
let own: DeviceKey;
let home: NewRoom;
let room: Room;
let posted: ToWindow[];
let connections: number;

beforeEach(async () => {
  [maker, own] = [await newKey(), await newKey()];
  home = await roomOf(maker);
  posted = [];
  connections = 0;
  room = new Room(
    {
      key: own,
      names: home.names,
      name: 'New',
      profile: { compute: true, budgetBytes: MEGABYTE, storage: 'f32', platform: 'iphone' },
      appVersion: '0',
      wireVersion: 1,
      models: undefined as unknown as RoomParts['models'],
      device: { incarnation: 1 } as unknown as RoomParts['device'],
      stages: () => ({ close: async () => {} }) as unknown as ReturnType<RoomParts['stages']>,
      store: () => ({ restore: async () => [] }) as unknown as ReturnType<RoomParts['store']>,
      now: () => performance.now(),
      random: () => 0,
      post: (message) => posted.push(message),
      onSession: () => {},
      onMembers: () => {},
      onRemoved: () => {},
      onTrouble: () => {},
    },
    { inviteKey: home.keys[0]?.key ?? '' },
  );
});

type Said = Record<string, unknown> & { readonly kind: string };

/** Somebody with the invite that says it is a member, and answers what it is asked as it likes. */
async function answered(by: DeviceKey, answer: (roster: Roster) => readonly Said[], roster = home.roster) {
  const { names, keys } = home;
  const membership = membershipOf(roster);
  const part: OwnPart = {
    role: 'member',
    membership: () => membership,
    keys: () => keys,
    verifier: new Verifier(names.id),
  };
  const links = new Links<Said>({
    now: () => performance.now(),
    post: () => {},
    codec: {
      encode: (message) => JSON.stringify({ v: 1, ...message }),
      decode: (text) => ({ message: JSON.parse(String(text)) }),
    },
    createProver: (context) => new Prover({ key: by, room: names, part, ...context }),
    opened: (link: Link<Said>) => ({
      control: () => {
        for (const message of answer(roster)) link.sendControl(message);
      },
      frame: () => {},
      closed: () => {},
    }),
  });
  const [control, data] = [channelPair(), channelPair()];
  const connection = connections++;
  [room.links, links].forEach((end, at) => {
    end.receive({
      kind: 'connection',
      connection,
      side: at === 0 ? 'called' : 'answered',
      address: at === 0 ? `at ${by.device}` : 'here',
      ownAddress: at === 0 ? 'here' : `at ${by.device}`,
      control: control[at] as unknown as RTCDataChannel,
      data: data[at] as unknown as RTCDataChannel,
    });
    const described = { ownDescription: SDP, description: SDP, maxMessageBytes: MEGABYTE };
    end.receive({ kind: 'described', connection, ...described });
  });
  const ends = [...control, ...data];
  for (const end of ends) end.open();
  const goesOn = (holds: () => boolean) => until(() => ends.map((end) => end.deliver()) && holds());
  await goesOn(() => room.links.open.some(({ device }) => device === by.device));
  return goesOn;
}

/** Carries on, as long as it takes: signatures are made elsewhere. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function listed(...by: DeviceKey[]): void {
  room.links.receive({ kind: 'listed', addresses: by.map(({ device }) => `at ${device}`) });
}

function called(): string[] {
  return posted.flatMap((message) => (message.kind === 'call' ? message.addresses : []));
}

describe('a newcomer', () => {
  it('whom a welcome of a form that it does not know is sent says that versions differ, and goes on with others', async () => {
    const other = await newKey();
    const goesOn = await answered(maker, (roster) =>
      welcomeMessages(roster, home.keys, ASKING).map((message) => ({
        ...message,
        ...(message.kind === 'welcome' && { later: 1 }),
      })),
    );
    listed(other);
    posted.length = 0;
    await goesOn(() => room.refused !== undefined);
    expect(room.refused).toBe('version');
    expect(room.links.open).toEqual([]);
    expect(called()).toEqual([`at ${other.device}`]);
  });

  it('lets go of a device that poses as the room, and of one that denies, and goes on with the others', async () => {
    const [posing, denying] = [await newKey(), await newKey()];
    listed(maker, posing, denying);
    const fake = await roomOf(posing, own);
    const poses = await answered(posing, () => [...welcomeMessages(fake.roster, fake.keys, ASKING)], fake.roster);
    await poses(() => room.links.open.length === 0);
    expect(room.refused).toBeUndefined();

    const asking = await answered(maker, () => [{ kind: 'asking' }]);
    await asking(() => room.isAsking);
    const denied = await answered(denying, () => [{ kind: 'denied', reason: 'denied' }]);
    await denied(() => room.links.open.length === 1);
    expect(room.refused).toBeUndefined();
    expect(room.isAsking).toBe(true);

    posted.length = 0;
    listed(posing, denying, maker);
    expect(called()).toEqual([`at ${maker.device}`]);
  });

  it('waits for nobody that is gone', async () => {
    const asking = await answered(maker, () => [{ kind: 'asking' }]);
    await asking(() => room.isAsking);
    room.links.disconnect(maker.device);
    expect(room.isAsking).toBe(false);
  });

  /** The maker lets it in. */
  async function welcomed() {
    const { device, publicKey } = own;
    const entry = await admit(maker, home.names, membershipOf(home.roster), { device, publicKey, name: 'New' });
    const roster = unite(home.roster, { entries: [entry], tombstones: [] });
    const goesOn = await answered(maker, () => [...welcomeMessages(roster, home.keys, ASKING)], roster);
    await goesOn(() => room.members !== undefined);
    return { roster, goesOn };
  }

  it('is in when a member says so', async () => {
    await welcomed();
    expect(room.members?.membership.members).toHaveLength(2);
    expect(room.members?.inviteKey).toBe(home.keys[0]?.key);
  });

  it('that is let in while its page is hidden has links when it is seen again, and none before', async () => {
    room.links.receive({ kind: 'visibility', hidden: true });
    const { roster, goesOn } = await welcomed();
    await goesOn(() => room.links.open.length === 0);
    expect(room.host?.node.links.isUp(maker.device)).toBe(false);
    room.links.receive({ kind: 'visibility', hidden: false });
    const again = await answered(maker, () => [], roster);
    await again(() => room.host?.node.links.isUp(maker.device) === true);
  });
});
