import type { Peer } from 'peerjs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { guardMessages } from './guard-messages.ts';

interface Inside {
  _handleMessage(message: unknown): void;
  readonly _lostMessages: Map<string, unknown[]>;
}

let PeerClass: new (id: string, options: object) => Peer;
const made: { address: string; options: { connectionId: string }; heard: unknown[] }[] = [];

class Connection {
  readonly type = 'data';
  readonly peerConnection = {};
  readonly heard: unknown[] = [];
  readonly connectionId: string;
  readonly peer: string;
  constructor(address: string, _provider: unknown, options: { connectionId: string }) {
    this.peer = address;
    this.connectionId = options.connectionId;
    made.push({ address, options, heard: this.heard });
  }
  handleMessage(message: unknown): void {
    this.heard.push(message);
  }
  close(): void {}
}

function open(): { say(message: unknown): void; lost: Map<string, unknown[]> } {
  made.length = 0;
  const peer = new PeerClass('me', { host: '127.0.0.1', port: 9, debug: 0, serializers: { shoal: Connection } });
  guardMessages(peer, 'shoal');
  const inside = peer as unknown as Inside;
  // as its socket does with what the server sends
  const { socket } = peer as unknown as { socket: { emit(event: string, message: unknown): void } };
  return { say: (message) => socket.emit('message', message), lost: inside._lostMessages };
}

describe('what others say to PeerJS', () => {
  beforeAll(async () => {
    // what it tries a browser out with, and connects by
    class Native {
      addTransceiver(): void {}
      createDataChannel = () => ({});
      close(): void {}
      send(): void {}
      async setLocalDescription(): Promise<void> {}
    }
    vi.stubGlobal('RTCPeerConnection', Native);
    vi.stubGlobal('WebSocket', Native);
    vi.stubGlobal('window', globalThis);
    vi.stubGlobal('location', { protocol: 'http:' });
    PeerClass = ((await import('peerjs')) as unknown as { Peer: typeof PeerClass }).Peer;
  });

  const sdp = { type: 'offer', sdp: 'v=0' };
  const offer = (connectionId: string, more: object = {}) => ({
    type: 'OFFER',
    src: 'rogue',
    payload: { type: 'data', connectionId, sdp, serialization: 'shoal', ...more },
  });
  const candidate = (connectionId: unknown, number = 0) => ({
    type: 'CANDIDATE',
    src: 'rogue',
    payload: { type: 'data', connectionId, candidate: { number } },
  });

  test('about connections that never come is forgotten', () => {
    const { say, lost } = open();
    for (let i = 0; i < 1000; i++) say(candidate(`c${i}`));
    for (let i = 0; i < 1000; i++) say(candidate('c999', i));
    expect(lost.size).toBeLessThanOrEqual(16);
    expect(Math.max(...[...lost.values()].map(({ length }) => length))).toBeLessThanOrEqual(64);
  });

  test('about a connection whose offer comes a little later is not lost', () => {
    const { say } = open();
    say(candidate('c', 1));
    say(candidate('c', 2));
    say(offer('c'));
    say(candidate('c', 3));
    expect(made).toMatchObject([{ address: 'rogue', options: { connectionId: 'c' } }]);
    expect(made[0]?.heard).toMatchObject([1, 2, 3].map((number) => ({ payload: { candidate: { number } } })));
  });

  test('in whatever form they call, the connection is made here', () => {
    const { say } = open();
    say(offer('a', { serialization: 'nope' }));
    say(offer('b', { serialization: '__proto__' }));
    say(offer('c', { serialization: undefined }));
    expect(made.map(({ options }) => options.connectionId)).toEqual(['a', 'b', 'c']);
  });

  test('and cannot be read is passed over', () => {
    const { say, lost } = open();
    for (const odd of [
      undefined,
      null,
      'OFFER',
      {},
      { type: 'OFFER', src: 'rogue' },
      offer('x', { type: 'media' }),
      offer('x', { sdp: undefined }),
      offer('x', { connectionId: { toString: 1 } }),
      offer('x'.repeat(200)),
      candidate(7),
      { type: 'ERROR' },
      { type: 'constructor' },
    ])
      say(odd);
    expect(made).toEqual([]);
    expect(lost.size).toBe(0);
  });
});
