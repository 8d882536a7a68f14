import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type RunningServer, startServer } from '../server.ts';

const listed = 'https://app.example';
const ROOM = 'abcdefghijklmnopqrst-_';
let folder: string;
let server: RunningServer;
let room = 0;

/** A name that no other test uses. */
function freshRoom(): string {
  return `room${String(room++).padStart(18, '0')}`;
}

const said: unknown[][] = [];

beforeAll(async () => {
  for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, method).mockImplementation((...words) => void said.push(words));
  }
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-signaling-'));
  server = await startServer({
    port: 0,
    listedOrigins: [listed],
    cacheFolder: folder,
    roomLimits: { peersPerRoom: 3, roomsPerPeer: 2, messageBurst: 200, messagesPerSecond: 100 },
  });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

interface OpenedPeer {
  readonly socket: WebSocket;
  readonly messages: Record<string, unknown>[];
  next(): Promise<Record<string, unknown>>;
}

/** Connects as PeerJS does and waits for its first message. */
async function open(
  id: string,
  token = `token-${id}`,
  options: { headers?: Record<string, string>; on?: RunningServer } = {},
): Promise<OpenedPeer> {
  const { port } = options.on ?? server;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/signaling/peerjs?key=peerjs&id=${id}&token=${token}`, {
    headers: options.headers ?? {},
  });
  const messages: Record<string, unknown>[] = [];
  const waiting: ((message: Record<string, unknown>) => void)[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Record<string, unknown>;
    const first = waiting.shift();
    if (first) first(message);
    else messages.push(message);
  });
  const next = () =>
    new Promise<Record<string, unknown>>((resolve) => {
      const message = messages.shift();
      if (message) resolve(message);
      else waiting.push(resolve);
    });
  await once(socket, 'open');
  return { socket, messages, next };
}

async function opened(id: string, on: RunningServer = server): Promise<OpenedPeer> {
  const peer = await open(id, `token-${id}`, { on });
  expect(await peer.next()).toEqual({ type: 'OPEN' });
  return peer;
}

async function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { code, reason: String(reason) };
}

/** The status by which an upgrade is refused. */
function refusal(pathname: string, headers: Record<string, string> = {}, on = server): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${on.port}${pathname}`, { headers });
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('open', () => reject(new Error('it opened')));
    socket.on('error', () => {});
  });
}

function ask(
  pathname: string,
  init: { method?: string; body?: unknown; headers?: Record<string, string>; on?: RunningServer } = {},
) {
  const { port } = init.on ?? server;
  return new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path: pathname, method: init.method ?? 'GET', headers: init.headers ?? {} },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: String(Buffer.concat(parts)) }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(typeof init.body === 'string' ? init.body : JSON.stringify(init.body));
  });
}

const announce = (name: string, id: string, on: RunningServer = server, token = `token-${id}`) =>
  ask(`/signaling/rooms/${name}`, { method: 'POST', body: { peer: id, token }, on });

describe('PeerServer', () => {
  it('hands an offer to whom it is for, under the name of who sent it', async () => {
    const [ann, bob] = await Promise.all([opened('ann'), opened('bob')]);
    ann.socket.send(JSON.stringify({ type: 'OFFER', src: 'someone-else', dst: 'bob', payload: { sdp: 'v=0' } }));
    expect(await bob.next()).toEqual({ type: 'OFFER', src: 'ann', dst: 'bob', payload: { sdp: 'v=0' } });
    bob.socket.send(JSON.stringify({ type: 'HEARTBEAT' }));
    bob.socket.send(JSON.stringify({ type: 'ANSWER', dst: 'ann' }));
    expect(await ann.next()).toMatchObject({ type: 'ANSWER', src: 'bob' });
    ann.socket.close();
    bob.socket.close();
  });

  it('does not give away a name that is taken, and lets its owner connect again', async () => {
    const first = await opened('carla');
    const thief = await open('carla', 'another');
    expect((await thief.next()).type).toBe('ID-TAKEN');
    const closed = closeOf(first.socket);
    const again = await open('carla');
    expect((await closed).code).toBe(4000);
    const dan = await opened('dan');
    dan.socket.send(JSON.stringify({ type: 'OFFER', dst: 'carla' }));
    expect(await again.next()).toMatchObject({ type: 'OFFER', src: 'dan' });
    again.socket.close();
    dan.socket.close();
  });

  it('closes a connection that says too much, with the reason, and no other', async () => {
    const [loud, calm] = await Promise.all([opened('loud'), opened('calm')]);
    const closed = closeOf(loud.socket);
    for (let i = 0; i < 400; i++) loud.socket.send('{"type":"HEARTBEAT"}');
    expect(await closed).toEqual({ code: 1008, reason: 'more than 100 messages a second, 200 at once' });
    expect(calm.socket.readyState).toBe(WebSocket.OPEN);
    calm.socket.close();
  });

  it('closes a connection whose message is larger than 16 KiB', async () => {
    const peer = await opened('large');
    const closed = closeOf(peer.socket);
    peer.socket.send(JSON.stringify({ type: 'OFFER', dst: 'x', payload: 'x'.repeat(16 * 1024) }));
    expect((await closed).code).toBe(1009);
  });

  it('closes a connection that says what PeerJS does not, whatever it is, and goes on', async () => {
    const odd = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ type: fc.string(), dst: fc.string() }).map((message) => JSON.stringify(message)),
      fc.constantFrom(
        '{"type":"OPEN","dst":"a"}',
        '{"type":"OFFER"}',
        '{"type":"OFFER","dst":{}}',
        '{"type":"LEAVE"}',
        '{"type":"OFFER","dst":"a b"}',
      ),
    );
    let n = 0;
    await fc.assert(
      fc.asyncProperty(odd, async (text) => {
        const peer = await opened(`odd-${n++}`);
        const closed = closeOf(peer.socket);
        peer.socket.send(text);
        expect(await closed).toEqual({ code: 1008, reason: 'not a message of PeerJS' });
      }),
      { numRuns: 25 },
    );
    (await opened('after-all')).socket.close();
  });

  it.each([
    ['/signaling/peerjs?key=peerjs&id=&token=t', {}, 400],
    ['/signaling/peerjs?key=peerjs&id=a%20b&token=t', {}, 400],
    ['/signaling/peerjs?key=peerjs&id=a&token=t', { Origin: 'https://evil.example' }, 403],
    ['/signaling/peerjs?key=peerjs&id=a&token=t', { Host: 'evil.example' }, 421],
    ['/signaling/elsewhere?key=peerjs&id=a&token=t', {}, 404],
  ])('refuses %s %j with %i', async (pathname, headers, status) => {
    expect(await refusal(pathname, headers as Record<string, string>)).toBe(status);
  });

  it('serves a page of a listed origin', async () => {
    const peer = await open('elsewhere', 't', { headers: { Origin: listed } });
    expect(await peer.next()).toEqual({ type: 'OPEN' });
    peer.socket.close();
    const id = await ask('/signaling/peerjs/id', { headers: { Origin: listed } });
    expect(id.text).toMatch(/^[\da-f-]{36}$/);
    expect(id.headers['access-control-allow-origin']).toBe(listed);
    // who is connected is nobody's business
    expect((await ask('/signaling/peerjs/peers')).status).toBe(404);
  });

  it('takes no more connections than it says', async () => {
    const small = await startServer({ port: 0, cacheFolder: folder, roomLimits: { connections: 1 } });
    const only = await opened('only', small);
    const second = new WebSocket(`ws://127.0.0.1:${small.port}/signaling/peerjs?key=peerjs&id=b&token=t`);
    const [, response] = (await once(second, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(503);
    only.socket.close();
    await small.close();
  });
});

describe('the directory', () => {
  it('tells who is there, and forgets who left or whose connection closed', async () => {
    const name = freshRoom();
    const [a, b] = await Promise.all([opened('dir-a'), opened('dir-b')]);
    const first = await announce(name, 'dir-a');
    expect(first.status).toBe(200);
    expect(JSON.parse(first.text)).toEqual({ peers: [], expiresMs: 90_000 });
    expect(JSON.parse((await announce(name, 'dir-b')).text).peers).toEqual(['dir-a']);
    expect(JSON.parse((await ask(`/signaling/rooms/${name}`)).text)).toEqual({ peers: ['dir-a', 'dir-b'] });
    const left = await ask(`/signaling/rooms/${name}/leave`, {
      method: 'POST',
      body: { peer: 'dir-a', token: 'token-dir-a' },
    });
    expect(left.status).toBe(204);
    expect(JSON.parse((await ask(`/signaling/rooms/${name}`)).text).peers).toEqual(['dir-b']);
    b.socket.close();
    await vi.waitFor(async () => {
      expect(JSON.parse((await ask(`/signaling/rooms/${name}`)).text).peers).toEqual([]);
    });
    a.socket.close();
  });

  it('lists nobody in the name of another', async () => {
    const name = freshRoom();
    const peer = await opened('victim');
    await announce(name, 'victim');
    expect((await announce(name, 'victim', server, 'guessed')).status).toBe(403);
    expect((await announce(name, 'not-connected')).status).toBe(409);
    const leave = { method: 'POST', body: { peer: 'victim', token: 'guessed' } };
    expect((await ask(`/signaling/rooms/${name}/leave`, leave)).status).toBe(403);
    expect(JSON.parse((await ask(`/signaling/rooms/${name}`)).text).peers).toEqual(['victim']);
    peer.socket.close();
  });

  it('gives ICE servers only to who is listed in the room', async () => {
    const name = freshRoom();
    const peer = await opened('ice-a');
    const iceFor = (room: string, id: string, token = `token-${id}`) =>
      ask('/signaling/ice', { method: 'POST', body: { room, peer: id, token } }).then(({ status }) => status);
    expect(await iceFor(name, 'ice-a')).toBe(409);
    await announce(name, 'ice-a');
    expect(await iceFor(name, 'ice-a')).toBe(200);
    expect(await iceFor(name, 'ice-a', 'guessed')).toBe(403);
    expect(await iceFor(name, 'not-connected')).toBe(409);
    expect(await iceFor(freshRoom(), 'ice-a')).toBe(409);
    expect(await iceFor('short', 'ice-a')).toBe(400);
    const gone = once(peer.socket, 'close');
    peer.socket.close();
    await gone;
    await vi.waitFor(async () => expect(await iceFor(name, 'ice-a')).toBe(409));
  });

  it('refuses the third of two rooms, and says so', async () => {
    const peer = await opened('everywhere');
    for (let i = 0; i < 2; i++) expect((await announce(freshRoom(), 'everywhere')).status).toBe(200);
    const third = await announce(freshRoom(), 'everywhere');
    expect(third.status).toBe(429);
    expect(third.text).toContain('2 rooms');
    expect(third.headers['retry-after']).toBe('90');
    peer.socket.close();
  });

  it('lists the fourth of three in place of the first, which comes back when it next announces itself', async () => {
    const name = freshRoom();
    const ids = ['full-a', 'full-b', 'full-c', 'full-d'];
    const peers = await Promise.all(ids.map((id) => opened(id)));
    for (const id of ids) expect((await announce(name, id)).status).toBe(200);
    const there = async () => JSON.parse((await ask(`/signaling/rooms/${name}`)).text).peers;
    expect(await there()).toEqual(['full-b', 'full-c', 'full-d']);
    expect((await announce(name, 'full-a')).status).toBe(200);
    expect(await there()).toEqual(['full-c', 'full-d', 'full-a']);
    for (const { socket } of peers) socket.close();
  });

  it.each([
    ['a name that is none', '/signaling/rooms/short', { method: 'POST', body: {} }, 400],
    ['no JSON', `/signaling/rooms/${ROOM}`, { method: 'POST', body: 'no json' }, 400],
    ['nobody', `/signaling/rooms/${ROOM}`, { method: 'POST', body: { peer: 1, token: 2 } }, 400],
    ['too large a body', `/signaling/rooms/${ROOM}`, { method: 'POST', body: 'x'.repeat(17 * 1024) }, 413],
    ['another action', `/signaling/rooms/${ROOM}/steal`, { method: 'POST', body: {} }, 404],
    ['another method', `/signaling/rooms/${ROOM}`, { method: 'DELETE' }, 405],
    ['a way out', '/signaling/rooms/../../etc', {}, 404],
    ['another path', '/signaling/nothing', {}, 404],
    ['ICE servers for nobody', '/signaling/ice', { method: 'POST', body: { room: ROOM } }, 400],
    ['ICE servers unasked', `/signaling/ice?room=${ROOM}`, {}, 404],
  ])('refuses %s', async (_what, pathname, init, status) => {
    expect((await ask(pathname, init)).status).toBe(status);
  });

  it('can be used by a page of a listed origin, and by no other', async () => {
    const headers = { Origin: listed };
    const answer = await ask(`/signaling/rooms/${ROOM}`, { headers });
    expect(answer.headers['access-control-allow-origin']).toBe(listed);
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
    const preflight = await ask(`/signaling/rooms/${ROOM}`, {
      method: 'OPTIONS',
      headers: { ...headers, 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-methods']).toContain('POST');
    expect(preflight.headers['access-control-allow-headers']).toContain('Content-Type');
    expect((await ask(`/signaling/rooms/${ROOM}`, { headers: { Origin: 'https://evil.example' } })).status).toBe(403);
  });

  it('refuses who asks too often', async () => {
    const small = await startServer({ port: 0, cacheFolder: folder, roomLimits: { messageBurst: 5 } });
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) statuses.push((await ask('/signaling/server', { on: small })).status);
    expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200]);
    expect(statuses[6]).toBe(429);
    await small.close();
  });
});

describe('one network address', () => {
  const socketOf = (id: string) => `/signaling/peerjs?key=peerjs&id=${id}&token=token-${id}`;

  it('has so many connections open, and as many again once they have closed', async () => {
    const small = await startServer({ port: 0, cacheFolder: folder, roomLimits: { connectionsPerAddress: 2 } });
    const [one, two] = [await opened('one', small), await opened('two', small)];
    expect(await refusal(socketOf('three'), {}, small)).toBe(429);
    one.socket.close();
    await vi.waitFor(async () => {
      const three = await opened('three', small);
      three.socket.close();
    });
    two.socket.close();
    await small.close();
  });

  it('brings so many new devices a minute, and those that it has may connect again', async () => {
    const small = await startServer({ port: 0, cacheFolder: folder, roomLimits: { idsPerMinute: 2 } });
    const peers = [await opened('one', small), await opened('two', small)];
    expect(await refusal(socketOf('three'), {}, small)).toBe(429);
    peers.push(await open('one', 'token-one', { on: small }));
    for (const { socket } of peers) socket.close();
    await small.close();
  });

  it('calls one device so often a minute, whatever names it has, and another device as often', async () => {
    const small = await startServer({ port: 0, cacheFolder: folder, roomLimits: { callsPerMinute: 3 } });
    const [ann, bob, zoe, cat] = [
      await opened('ann', small),
      await opened('bob', small),
      await opened('zoe', small),
      await opened('cat', small),
    ];
    const say = (from: OpenedPeer, type: string, dst: string) => from.socket.send(JSON.stringify({ type, dst }));
    for (let i = 0; i < 3; i++) {
      say(ann, 'OFFER', 'zoe');
      expect(await zoe.next()).toMatchObject({ type: 'OFFER', src: 'ann' });
    }
    say(bob, 'OFFER', 'zoe');
    expect(await bob.next()).toEqual({ type: 'EXPIRE', src: 'zoe' });
    // what is said in calls that got through is no call
    say(ann, 'CANDIDATE', 'zoe');
    expect(await zoe.next()).toMatchObject({ type: 'CANDIDATE', src: 'ann' });
    say(bob, 'OFFER', 'cat');
    expect(await cat.next()).toMatchObject({ type: 'OFFER', src: 'bob' });
    for (const { socket } of [ann, bob, zoe, cat]) socket.close();
    await small.close();
  });

  it('leaves so many bytes for devices that are not there, and hears at once that more are not kept', async () => {
    const roomLimits = { waitingBytesPerAddress: 4000 };
    const small = await startServer({ port: 0, cacheFolder: folder, roomLimits });
    const ann = await opened('ann', small);
    const say = (number: number) =>
      ann.socket.send(JSON.stringify({ type: 'CANDIDATE', dst: 'late', payload: `${number}`.padStart(900, ' ') }));
    for (let number = 0; number < 4; number++) say(number);
    for (let refused = 0; refused < 2; refused++) expect(await ann.next()).toEqual({ type: 'EXPIRE', src: 'late' });
    const late = await opened('late', small);
    expect([Number((await late.next()).payload), Number((await late.next()).payload)]).toEqual([0, 1]);
    // who is there gets all
    say(4);
    expect(Number((await late.next()).payload)).toBe(4);
    ann.socket.close();
    late.socket.close();
    await small.close();
  });

  it('may be that of a class: thirty devices that come, announce themselves and reload at the same moment', async () => {
    const school = await startServer({ port: 0, cacheFolder: folder });
    const name = freshRoom();
    const ids = Array.from({ length: 30 }, (_, i) => `pupil${i}`);
    for (const load of ['first', 'second']) {
      const peers = await Promise.all(ids.map((id) => opened(`${id}-${load}`, school)));
      const statuses = ids.map(async (id) => {
        const [peer, token] = [`${id}-${load}`, `token-${id}-${load}`];
        const body = { room: name, peer, token };
        const listed = await announce(name, peer, school);
        return [listed.status, (await ask('/signaling/ice', { method: 'POST', body, on: school })).status];
      });
      expect(await Promise.all(statuses)).toEqual(ids.map(() => [200, 200]));
      const closed = peers.map(({ socket }) => once(socket, 'close'));
      for (const { socket } of peers) socket.close();
      await Promise.all(closed);
    }
    await school.close();
  });
});

describe('a restart', () => {
  it('leaves nothing behind: whoever connects again announces itself again', async () => {
    const name = freshRoom();
    const before = await startServer({ port: 0, cacheFolder: folder });
    const peer = await opened('phoenix', before);
    await announce(name, 'phoenix', before);
    const gone = once(peer.socket, 'close');
    await before.close();
    await gone;
    const after = await startServer({ port: before.port, cacheFolder: folder });
    expect(JSON.parse((await ask(`/signaling/rooms/${name}`, { on: after })).text).peers).toEqual([]);
    const again = await opened('phoenix', after);
    expect((await announce(name, 'phoenix', after)).status).toBe(200);
    again.socket.close();
    await after.close();
  });
});

describe('all of the above', () => {
  it('left no word in a log and no file on the disk', async () => {
    expect(said).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });
});
