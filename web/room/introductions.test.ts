import { EventEmitter } from 'node:events';
import type { Peer } from 'peerjs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Introductions } from './introductions.ts';
import type { JoinFailure } from './join-failure.ts';

/** PeerJS's connection to the server, as far as it is used here. */
class TestPeer extends EventEmitter {
  static last: TestPeer;
  destroyed = false;
  _handleMessage = () => {};
  _lostMessages = new Map();
  disconnect = vi.fn(() => this.emit('disconnected'));
  reconnect = vi.fn();
  constructor() {
    super();
    TestPeer.last = this;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

vi.mock('./load-peerjs.ts', () => ({ loadPeerJs: async () => TestPeer as unknown as Peer }));

/** A server's answers, by what is asked. */
interface Answers {
  announce: () => Response;
  ice: () => Response;
}

const json = (body: object) => new Response(JSON.stringify(body));
const HOUR_MS = 3_600_000;

function begin(answers: Partial<Answers> = {}) {
  const all: Answers = {
    announce: () => json({ peers: ['other'] }),
    ice: () => json({ iceServers: [], expiresMs: HOUR_MS }),
    ...answers,
  };
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: URL) => {
    const what = url.pathname.endsWith('/ice') ? 'ice' : 'announce';
    asked.push(what);
    return all[what]();
  });
  const failures: JoinFailure[] = [];
  const listings: (readonly string[] | undefined)[] = [];
  let renewals = 0;
  const introductions = new Introductions({
    server: 'https://server.example',
    room: 'room',
    connectionClass: () => class {} as never,
    opened: () => {},
    listed: (addresses) => listings.push(addresses),
    nobodyAt: () => {},
    renewed: () => renewals++,
    failed: (failure) => failures.push(failure),
    changed: () => {},
  });
  const settled = async (promise: Promise<void>) => {
    let isSettled = false;
    void promise.then(() => {
      isSettled = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    return isSettled;
  };
  const open = async () => {
    await vi.advanceTimersByTimeAsync(0);
    TestPeer.last.emit('open');
    await vi.advanceTimersByTimeAsync(0);
  };
  return { introductions, answers: all, asked, listings, failures, renewals: () => renewals, settled, open };
}

const turn = (credential: string) =>
  json({ iceServers: [{ urls: 'turn:server.example', username: 'u', credential }], expiresMs: HOUR_MS });

describe('a device at the signaling server', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test('asks for credentials of the relay anew when its connection is back: they may be of another process', async () => {
    const { introductions, answers, renewals, settled, open } = begin({ ice: () => turn('first') });
    await open();
    expect(introductions.iceServers).toMatchObject([{ credential: 'first' }]);
    expect(renewals()).toBe(1);
    TestPeer.last.emit('disconnected');
    let answer = (_: Response) => {};
    answers.ice = () => new Promise<Response>((resolve) => (answer = resolve)) as unknown as Response;
    await open();
    // a connection that begins now waits for them
    expect(await settled(introductions.iceAsked)).toBe(false);
    answer(turn('second'));
    expect(await settled(introductions.iceAsked)).toBe(true);
    expect(introductions.iceServers).toMatchObject([{ credential: 'second' }]);
    expect(renewals()).toBe(2);
    introductions.close();
  });

  test('asks for them anew on another network, and moves no connection where they are the same', async () => {
    const { introductions, asked, renewals, open } = begin({ ice: () => turn('same') });
    await open();
    await introductions.announce();
    expect(asked.filter((what) => what === 'ice')).toHaveLength(1);
    introductions.forgetIce();
    await introductions.announce();
    expect(asked.filter((what) => what === 'ice')).toHaveLength(2);
    expect(renewals()).toBe(1);
    introductions.close();
  });

  test('that is not listed can call and be called all the same, and says why it is not', async () => {
    const { introductions, failures, settled, open } = begin({
      announce: () => new Response('this server lists 1000 rooms, which is all it takes\n', { status: 429 }),
    });
    expect(await settled(introductions.iceAsked)).toBe(false);
    await open();
    expect(await settled(introductions.iceAsked)).toBe(true);
    expect(failures.map(({ stage }) => stage)).toEqual(['signaling']);
    expect(failures[0]?.message).toContain('does not introduce this device now: this server lists 1000 rooms');
    expect(failures[0]?.message).not.toContain('reached');
    introductions.close();
  });

  test('asks for who is there before it calls who is not listed, not too often', async () => {
    const { introductions, answers, asked, listings, open } = begin();
    await open();
    expect(introductions.mayBeAt('other', performance.now())).toBe(true);
    expect(introductions.mayBeAt('gone', performance.now() - 10)).toBe(false);
    await vi.advanceTimersByTimeAsync(500);
    answers.announce = () => json({ peers: ['other', 'new'] });
    const since = performance.now();
    expect(['new', 'gone', 'new'].map((address) => introductions.mayBeAt(address, since))).toEqual(
      new Array(3).fill('asking'),
    );
    await vi.advanceTimersByTimeAsync(2400);
    expect(listings).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(listings).toEqual([['other'], ['other', 'new']]);
    expect(introductions.mayBeAt('new', since)).toBe(true);
    expect(introductions.mayBeAt('gone', since)).toBe(false);
    expect(asked.filter((what) => what === 'announce')).toHaveLength(2);
    // the next time is as far away as ever
    await vi.advanceTimersByTimeAsync(19_000);
    expect(asked.filter((what) => what === 'announce')).toHaveLength(2);
    // who is asked for in vain is asked for less and less often
    for (let second = 0; second < 60; second++) {
      introductions.mayBeAt('gone', performance.now());
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(asked.filter((what) => what === 'announce').length).toBeLessThan(9);
    introductions.close();
  });

  test('keeps to what the directory said while it gives no answer, and calls anybody of a full one', async () => {
    const { introductions, answers, listings, open } = begin();
    await open();
    answers.announce = () => {
      throw new TypeError('no network');
    };
    await vi.advanceTimersByTimeAsync(10);
    await introductions.announce();
    expect(listings).toEqual([['other']]);
    expect(introductions.mayBeAt('gone', performance.now())).toBe('asking');
    answers.announce = () => json({ peers: Array.from({ length: 63 }, (_, i) => `${i}`) });
    const since = performance.now();
    await introductions.announce();
    expect(introductions.mayBeAt('gone', since)).toBe(true);
    introductions.close();
  });

  test('that cannot ask who is there calls anybody', async () => {
    const { introductions, listings, open } = begin({
      announce: () => new Response('this server lists 1000 rooms, which is all it takes\n', { status: 429 }),
    });
    await open();
    expect(listings).toEqual([undefined]);
    expect(introductions.mayBeAt('other', performance.now())).toBe(true);
    introductions.close();
  });

  test('that the server cannot answer can call all the same, without a relay', async () => {
    const { introductions, settled, open } = begin({
      announce: () => {
        throw new TypeError('no network');
      },
    });
    await open();
    expect(await settled(introductions.iceAsked)).toBe(true);
    introductions.close();
  });

  test('that the server has forgotten connects again; one whose entry gave way to others announces itself again', async () => {
    const gone = () => new Response('this peer is not listed', { status: 409 });
    const { introductions, answers, asked, failures, open } = begin({ ice: gone });
    await open();
    expect(TestPeer.last.disconnect).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(6000);
    expect(asked).toEqual(['announce', 'ice', 'announce', 'ice']);
    expect(failures).toEqual([]);
    answers.announce = gone;
    await introductions.announce();
    expect(TestPeer.last.disconnect).toHaveBeenCalledOnce();
    introductions.close();
  });
});
