import type { Peer } from 'peerjs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ToWindow, ToWorker } from '../../worker/mesh/link/window-messages.ts';
import type { CallOptions, ConnectionClass, PeerConnection } from './peer-connection.ts';
import { RoomConnections } from './room-connections.ts';

interface Introducing {
  connectionClass(ownAddress: string): ConnectionClass;
  opened(address: string): void;
  listed(addresses: readonly string[]): void;
}
let introducing: Introducing;
/** Of addresses that the directory was asked for. */
let mayBeAt: (address: string) => boolean | 'asking';
const provider = { socket: { send: () => {} }, _removeConnection: () => {} } as unknown as Peer;
const made: PeerConnection[] = [];

/** As PeerJS has it made: for a call, or for one that came. */
function make(address: string, options: CallOptions): void {
  const Connection = introducing.connectionClass('own');
  made.push(new Connection(address, provider, options) as unknown as PeerConnection);
}

// the server and PeerJS are not here
vi.mock('./introductions.ts', () => ({
  randomName: () => 'name',
  Introductions: class {
    state = 'connected';
    address = 'own';
    iceServers = [];
    iceAsked = Promise.resolve();
    constructor(options: Introducing) {
      introducing = options;
    }
    call = (address: string) => make(address, {});
    mayBeAt = (address: string) => mayBeAt(address);
    announce = async () => {};
    close = () => {};
  },
}));

class TestConnection {
  connectionState = 'new';
  signalingState = 'stable';
  localDescription = { type: 'answer', sdp: 'a=fingerprint:sha-256 AA\r\n' };
  createDataChannel = () => ({});
  setConfiguration = () => {};
  setLocalDescription = async () => {};
  setRemoteDescription = async () => {};
  close = () => {};
}

let connections: RoomConnections;
let said: (message: ToWindow) => void;
let told: ToWorker[];
beforeEach(() => {
  vi.useFakeTimers();
  mayBeAt = () => true;
  told = [];
  vi.stubGlobal('RTCPeerConnection', TestConnection);
  vi.stubGlobal('navigator', {});
  vi.stubGlobal('window', new EventTarget());
  vi.stubGlobal('location', { origin: 'https://shoal.example' });
  vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: false }));
  made.length = 0;
  const worker = Object.assign(new EventTarget(), {
    postMessage({ room }: { room: ToWorker }) {
      told.push(room);
      if (room.kind === 'connection') said({ kind: 'taken', connection: room.connection });
    },
  });
  said = (room) => worker.dispatchEvent(new MessageEvent('message', { data: { room } }));
  connections = new RoomConnections({ worker: worker as unknown as Worker, room: 'room' });
});
afterEach(() => {
  connections.leave();
  vi.advanceTimersByTime(1000);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const call = () => said({ kind: 'call', addresses: ['phone'] });
const isCalledBy = () => make('phone', { connectionId: 'theirs', _payload: { sdp: { type: 'offer', sdp: '' } } });
const sides = () => made.map(({ side }) => side);

test('a peer that is linked is not called, and is once its link was given up', () => {
  isCalledBy();
  const connection = made[0]?.number ?? -1;
  said({ kind: 'proved', connection, device: 'device' });
  call();
  expect(sides()).toEqual(['answered']);
  said({ kind: 'close', connection });
  // what it said last still goes out over the one that ends
  call();
  expect(sides()).toEqual(['answered', 'called']);
});

test('a peer that calls and proves nothing is called instead; one that proves itself is not', async () => {
  for (const proves of [false, true]) {
    made.length = 0;
    isCalledBy();
    call();
    expect(sides()).toEqual(['answered']);
    const connection = made[0]?.number ?? -1;
    if (proves) said({ kind: 'proved', connection, device: 'device' });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(sides()).toEqual(proves ? ['answered'] : ['answered', 'called']);
    for (const each of made) each.end();
  }
});

test('one address has one place of those that may be unproved, however often it calls, and members keep theirs', () => {
  const isCalled = (address: string, number: number) =>
    make(address, { connectionId: `${number}`, _payload: { sdp: { type: 'offer', sdp: '' } } });
  const unproved = () => connections.connections.map(({ address }) => address);
  isCalled('other', 0);
  for (let number = 0; number < 20; number++) isCalled('flood', number);
  expect(unproved()).toEqual(['other', 'flood']);
  // the worker had a record of it once
  said({ kind: 'call', addresses: ['phone'], ofMembers: true });
  expect(unproved()).toEqual(['other', 'flood', 'phone']);
  for (const each of made) if (each.peer === 'phone') each.end();
  isCalledBy();
  for (let number = 0; number < 20; number++) isCalled(`flood${number}`, number);
  expect(unproved()).toHaveLength(8);
  expect(unproved()).toContain('phone');
  expect(unproved()).not.toContain('other');
});

test('nobody is called who is not there: no connection is made for it, and it holds no place of one', () => {
  mayBeAt = () => 'asking';
  said({ kind: 'call', addresses: ['a', 'b', 'c', 'd', 'e', 'phone'] });
  expect(sides()).toEqual([]);
  mayBeAt = (address) => address === 'phone';
  introducing.listed(['phone']);
  expect(made.map(({ peer }) => peer)).toEqual(['phone']);
  const unreachable = told.flatMap((message) => (message.kind === 'unreachable' ? message.address : []));
  expect(unreachable).toEqual(['a', 'b', 'c', 'd', 'e']);
  // said once: who wants it calls again
  introducing.listed(['phone', 'a']);
  expect(sides()).toEqual(['called']);
});

test('a browser that makes no more connections makes some again once it can', async () => {
  class FullBrowser {
    constructor() {
      throw new DOMException('Cannot create so many PeerConnections', 'UnknownError');
    }
  }
  vi.stubGlobal('RTCPeerConnection', FullBrowser);
  call();
  isCalledBy();
  expect(connections.connections).toEqual([]);
  expect(told).toContainEqual({ kind: 'unreachable', address: 'phone', stage: 'candidates' });
  vi.stubGlobal('RTCPeerConnection', TestConnection);
  made.length = 0;
  call();
  await vi.advanceTimersByTimeAsync(2000);
  expect(sides()).toEqual(['called']);
});
