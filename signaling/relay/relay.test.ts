import { createSocket, Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import nodeDataChannel from 'node-datachannel';
import { Socket as TurnClient } from 'turn-server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { IceAnswer } from '../rooms/signaling.ts';
import { type RunningServer, startServer } from '../server.ts';
import { CredentialMaker } from './credentials.ts';
import { Relay } from './relay.ts';
import { bindingAnswer } from './stun.ts';

const LOOPBACK = '127.0.0.1';
const ROOM = 'abcdefghijklmnopqrst-_';
/** Below the ports that the system gives out by itself. */
const PORTS = [20_100, 20_199] as const;
let folder: string;
let server: RunningServer;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-relay-'));
  server = await startServer({
    port: 0,
    stunPort: 0,
    relayOnLoopback: true,
    relayLimits: { ports: PORTS },
    cacheFolder: folder,
  });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** What a device that is listed in the room is told. */
async function iceAnswer(room = ROOM, on = server): Promise<IceAnswer> {
  const who = { peer: 'device', token: 't' };
  const at = `127.0.0.1:${on.port}/signaling`;
  const socket = new WebSocket(`ws://${at}/peerjs?key=peerjs&id=${who.peer}&token=${who.token}`);
  await once(socket, 'message');
  const post = (what: string, body: object) =>
    fetch(`http://${at}/${what}`, { method: 'POST', body: JSON.stringify(body) });
  await post(`rooms/${room}`, who);
  const answer = (await (await post('ice', { room, ...who })).json()) as IceAnswer;
  socket.close();
  return answer;
}

function credentialsOf(answer: IceAnswer): { username: string; password: string } {
  const { username = '', credential = '' } = answer.iceServers[1] ?? {};
  return { username, password: credential };
}

type Outcome = { relayedPort: number } | { error: number };

/** Asks for a relay, then to send to `peer` through it. */
async function askForRelay(
  port: number,
  credentials: { username: string; password: string },
  peer?: string,
): Promise<{ relay: Outcome; permission?: 'granted' | number; client: TurnClient; close(): void }> {
  const client = new TurnClient({ server: LOOPBACK, port, authMech: 'long-term', ...credentials });
  client.on('error', () => {});
  await new Promise<void>((resolve) => client.connect(resolve));
  const relay = await new Promise<Outcome>((resolve) => {
    client.on('allocate:success', (message) => resolve({ relayedPort: message.getAttribute(0x0016).port }));
    client.on('allocate:error', (_message, error) => resolve({ error: error.code }));
    client.allocate({ lifetime: 600 });
  });
  let permission: 'granted' | number | undefined;
  if (peer !== undefined) {
    permission = await new Promise<'granted' | number>((resolve) => {
      client.on('create_permission:success', () => resolve('granted'));
      client.on('create_permission:error', (_message, error) => resolve(error.code));
      client.createPermission([{ ip: peer, port: 9 }]);
    });
  }
  return { relay, ...(permission === undefined ? {} : { permission }), client, close: () => client.close() };
}

describe('STUN', () => {
  it('tells a device the address under which it is seen', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    const id = Buffer.from('shoal-stun-1');
    // RFC 8489, section 5: binding request, no attributes, magic cookie
    socket.send(Buffer.concat([Buffer.from('000100002112a442', 'hex'), id]), server.stunPort ?? 0, LOOPBACK);
    const [answer] = (await once(socket, 'message')) as [Buffer];
    expect(answer.readUInt16BE(0)).toBe(0x0101);
    expect(answer.subarray(8, 20).equals(id)).toBe(true);
    const at = answer.indexOf(Buffer.from('0020000800', 'hex'));
    expect(answer.readUInt16BE(at + 6) ^ 0x2112).toBe(socket.address().port);
    expect(answer.readUInt32BE(at + 8) ^ 0x2112a442).toBe(0x7f000001);
    socket.close();
  });

  it('is answered whoever else asks, and from however many ports', async () => {
    const relay = new Relay({ port: 0, relays: true, mayRelayTo: () => true, limits: { clients: 8 } });
    await relay.listen([LOOPBACK]);
    const request = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.from('shoal-stun-1')]);
    for (let i = 0; i < 40; i++) {
      const socket = createSocket('udp4');
      socket.bind(0, LOOPBACK);
      await once(socket, 'listening');
      const answered = once(socket, 'message');
      socket.send(request, relay.port ?? 0, LOOPBACK);
      expect(bindingAnswer(request, { address: LOOPBACK, port: socket.address().port })).toEqual((await answered)[0]);
      socket.close();
    }
    await relay.close();
  });

  it('goes on after a packet that no answer can go to, and after one whose answer cannot be sent', async () => {
    const bind = vi.spyOn(UdpSocket.prototype, 'bind');
    const relay = new Relay({ port: 0, relays: true, mayRelayTo: () => true });
    await relay.listen([LOOPBACK]);
    const socket = bind.mock.contexts[0] as UdpSocket;
    bind.mockRestore();
    const send = vi.spyOn(socket, 'send');
    const request = Buffer.concat([Buffer.from('000100002112a442', 'hex'), Buffer.from('shoal-stun-1')]);
    // RFC 8656: an allocation, which is turn-server's to answer
    const allocation = Buffer.concat([
      Buffer.from('000300082112a442', 'hex'),
      Buffer.from('shoal-stun-2'),
      Buffer.from('0019000411000000', 'hex'),
    ]);
    // as the system hands it over: who sends with a raw socket chooses port 0
    for (const packet of [request, allocation])
      socket.emit('message', packet, { address: LOOPBACK, family: 'IPv4', port: 0, size: packet.length });
    expect(send).not.toHaveBeenCalled();
    send.mockImplementationOnce(() => {
      throw new Error('the system would not');
    });
    socket.emit('message', request, { address: LOOPBACK, family: 'IPv4', port: 9, size: request.length });
    expect(send).toHaveBeenCalledOnce();
    await relay.close();
  });

  it('takes any packet, and answers nothing but binding requests by itself', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, looksRight) => {
        const packet = Buffer.from(bytes);
        if (looksRight && packet.length >= 8) packet.write('000100002112a442', 'hex');
        const isRequest = packet.length === 20 && looksRight;
        const answer = bindingAnswer(packet, { address: '192.0.2.1', port: 40_000 });
        expect(answer !== undefined).toBe(isRequest);
        if (answer) expect(answer.subarray(4, 20).equals(packet.subarray(4, 20))).toBe(true);
      }),
      { numRuns: 1000, examples: [[new Uint8Array(20), true]] },
    );
  });

  it('is offered with the address by which the page came, and a relay only where there is one', async () => {
    const answer = await iceAnswer();
    expect(answer.iceServers[0]).toEqual({ urls: [`stun:127.0.0.1:${server.stunPort}`] });
    expect(answer.iceServers[1]?.urls).toEqual([
      `turn:127.0.0.1:${server.stunPort}?transport=udp`,
      `turn:127.0.0.1:${server.stunPort}?transport=tcp`,
    ]);
    const plain = await startServer({ port: 0, stunPort: 0, cacheFolder: folder });
    expect((await iceAnswer(ROOM, plain)).iceServers).toEqual([{ urls: [`stun:127.0.0.1:${plain.stunPort}`] }]);
    const { relay } = await askForRelay(plain.stunPort ?? 0, credentialsOf(answer));
    expect(relay).toEqual({ error: 401 });
    await plain.close();
    const none = await startServer({ port: 0, cacheFolder: folder });
    expect((await iceAnswer(ROOM, none)).iceServers).toEqual([]);
    await none.close();
  });

  it('takes another port where its own is taken, unless it was asked for', async () => {
    const taken = server.stunPort ?? 0;
    const moved = await startServer({ port: 0, stunPort: taken, stunPortMayMove: true, cacheFolder: folder });
    expect(moved.stunPort).not.toBe(taken);
    await moved.close();
    const refused = startServer({ port: 0, stunPort: taken, cacheFolder: folder });
    await expect(refused).rejects.toThrow(`UDP port ${taken} is taken`);
    // else `npm start` would look for another port of the app
    await expect(refused).rejects.not.toHaveProperty('code');
  });

  it('answers on after any packet', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    const header = Buffer.from('000300082112a442', 'hex');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, looksRight) => {
        const packet = looksRight ? Buffer.concat([header, bytes]) : Buffer.from(bytes);
        socket.send(packet, server.stunPort ?? 0, LOOPBACK);
      }),
      { numRuns: 500 },
    );
    socket.close();
    const asked = await askForRelay(server.stunPort ?? 0, credentialsOf(await iceAnswer()));
    expect(asked.relay).toHaveProperty('relayedPort');
    asked.close();
  });
});

describe('a relay', () => {
  // both are on one machine: now and then libjuice finds the direct way though it was told to use the relay alone
  it('connects two devices that have no other way', { retry: 5 }, async () => {
    const { hostname, port } = { hostname: LOOPBACK, port: server.stunPort ?? 0 };
    const credentials = credentialsOf(await iceAnswer());
    const peer = (name: string) =>
      new nodeDataChannel.PeerConnection(name, {
        iceServers: [{ hostname, port, ...credentials, relayType: 'TurnUdp' }],
        iceTransportPolicy: 'relay',
        bindAddress: LOOPBACK,
      });
    const [ann, bob] = [peer('ann'), peer('bob')];
    for (const [one, other] of [
      [ann, bob],
      [bob, ann],
    ] as const) {
      one.onLocalDescription((sdp, type) => other.setRemoteDescription(sdp, type));
      one.onLocalCandidate((candidate, mid) => other.addRemoteCandidate(candidate, mid));
    }
    const received = new Promise<Buffer>((resolve) => {
      bob.onDataChannel((channel) => {
        channel.onMessage((message) => {
          resolve(Buffer.from(message as Buffer));
          channel.sendMessage('thanks');
        });
      });
    });
    const channel = ann.createDataChannel('data');
    const thanked = new Promise<unknown>((resolve) => channel.onMessage(resolve));
    const activation = Buffer.alloc(60_000, 7);
    channel.onOpen(() => channel.sendMessageBinary(activation));
    expect((await received).equals(activation)).toBe(true);
    expect(await thanked).toBe('thanks');
    const pair = ann.getSelectedCandidatePair();
    expect([pair?.local.type, pair?.remote.type]).toEqual(['relay', 'relay']);
    for (const relayed of [pair?.local.port ?? 0, pair?.remote.port ?? 0]) {
      expect(relayed).toBeGreaterThanOrEqual(PORTS[0]);
      expect(relayed).toBeLessThanOrEqual(PORTS[1]);
    }
    ann.close();
    bob.close();
  });

  it('is given to nobody without credentials of this server, and not after they ended', async () => {
    let now = 1_000_000_000_000;
    const relay = new Relay({ port: 0, relays: true, mayRelayTo: () => true, wallClock: () => now });
    await relay.listen([LOOPBACK]);
    const port = relay.port ?? 0;
    const { username, credential } = relay.credentials(ROOM);
    const good = { username, password: credential };
    const forged = { username: username.replace(/^1/, '9'), password: credential };
    expect((await askForRelay(port, forged)).relay).toEqual({ error: 401 });
    const elsewhere = new CredentialMaker(() => now).make(ROOM, 60_000);
    expect((await askForRelay(port, { username: elsewhere.username, password: elsewhere.credential })).relay).toEqual({
      error: 401,
    });
    const first = await askForRelay(port, good);
    expect(first.relay).toHaveProperty('relayedPort');
    expect(relay.inUse).toBe(1);
    now += 3_600_001;
    expect((await askForRelay(port, good)).relay).toEqual({ error: 403 });
    first.close();
    await relay.close();
    expect(relay.inUse).toBe(0);
  });

  it('sends nowhere but where it may', async () => {
    const credentials = credentialsOf(await iceAnswer());
    const allowed = await askForRelay(server.stunPort ?? 0, credentials, LOOPBACK);
    expect(allowed.permission).toBe('granted');
    for (const peer of ['192.0.2.1', '10.0.0.1', '169.254.169.254', '224.0.0.251']) {
      const refused = await askForRelay(server.stunPort ?? 0, credentials, peer);
      expect(refused.permission).toBe(403);
      refused.close();
    }
    allowed.close();
  });

  it('reaches of this computer only other relays, and of others no port of their services', async () => {
    const other = '127.0.0.2';
    const relay = new Relay({ port: 0, relays: true, mayRelayTo: (ip, via) => ip === other && via === LOOPBACK });
    await relay.listen([LOOPBACK]);
    const { username, credential } = relay.credentials(ROOM);
    const [ann, bob] = await Promise.all(
      [0, 1].map(() => askForRelay(relay.port ?? 0, { username, password: credential }, LOOPBACK)),
    );
    if (!ann || !bob) throw new Error('two were asked for');
    const bind = (ip: string, port: number) =>
      new Promise<'bound' | number>((resolve) => {
        ann.client.on('channel_bind:success', () => resolve('bound'));
        ann.client.on('channel_bind:error', (_message, error) => resolve(error.code));
        ann.client.channelBind(0x4000 + (port % 4096), { ip, port });
      });
    const service = createSocket('udp4');
    service.bind(0, LOOPBACK);
    await once(service, 'listening');
    const heard: string[] = [];
    service.on('message', (message) => heard.push(String(message)));
    bob.client.on('data', (_peer: unknown, data: Uint8Array) => heard.push(Buffer.from(data).toString()));
    expect(await bind(LOOPBACK, service.address().port)).toBe(403);
    expect(await bind(other, 1023)).toBe(403);
    expect(await bind(other, 1024)).toBe('bound');
    // a permission is for all ports, and was granted
    ann.client.send({ ip: LOOPBACK, port: service.address().port }, Buffer.from('to a service'));
    ann.client.send(
      { ip: LOOPBACK, port: (bob.relay as { relayedPort: number }).relayedPort },
      Buffer.from('to a relay'),
    );
    await vi.waitFor(() => expect(heard).toEqual(['to a relay']));
    ann.close();
    bob.close();
    service.close();
    await relay.close();
  });

  it('ends with its credentials, however often it is refreshed', async () => {
    const limits = { credentialsMs: 2000 };
    const relay = new Relay({ port: 0, relays: true, mayRelayTo: () => true, limits });
    await relay.listen([LOOPBACK]);
    const { username, credential } = relay.credentials(ROOM);
    const asked = await askForRelay(relay.port ?? 0, { username, password: credential });
    expect(relay.inUse).toBe(1);
    // its types are of another version
    const refresh = asked.client.refresh as (seconds: number) => void;
    const refreshes = setInterval(() => refresh(600), 100);
    await vi.waitFor(() => expect(relay.inUse).toBe(0), 10_000);
    clearInterval(refreshes);
    asked.close();
    await relay.close();
  });

  it('is asked for by a few of one address at a time, and who only asks is soon forgotten', async () => {
    const limits = { strangersPerAddress: 4, strangerMs: 700 };
    const relay = new Relay({ port: 0, relays: true, mayRelayTo: () => true, limits });
    await relay.listen([LOOPBACK]);
    const { username, credential } = relay.credentials(ROOM);
    const good = { username, password: credential };
    const first = await askForRelay(relay.port ?? 0, good);
    const silent = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const socket = connectTcp(relay.port ?? 0, LOOPBACK);
        socket.on('error', () => {});
        await once(socket, 'connect');
        return socket;
      }),
    );
    // those above four at once, the others in a while; who has a relay keeps it
    await vi.waitFor(() => expect(silent.every(({ closed }) => closed)).toBe(true), 10_000);
    expect(relay.inUse).toBe(1);
    const later = await askForRelay(relay.port ?? 0, good);
    expect(later.relay).toHaveProperty('relayedPort');
    first.close();
    later.close();
    await relay.close();
  });

  it('is one of as many as a room may have', async () => {
    const relay = new Relay({ port: 0, relays: true, mayRelayTo: () => true, limits: { relaysPerRoom: 1, relays: 2 } });
    await relay.listen([LOOPBACK]);
    const ask = (room: string) => {
      const { username, credential } = relay.credentials(room);
      return askForRelay(relay.port ?? 0, { username, password: credential });
    };
    const first = await ask(ROOM);
    expect((await ask(ROOM)).relay).toEqual({ error: 403 });
    const second = await ask(ROOM.replace('a', 'b'));
    expect(second.relay).toHaveProperty('relayedPort');
    expect((await ask(ROOM.replace('a', 'c'))).relay).toEqual({ error: 403 });
    first.close();
    second.close();
    await relay.close();
  });

  it('moves with the addresses of this computer, on the same port', async () => {
    const relay = new Relay({ port: 0, relays: false, mayRelayTo: () => true });
    await relay.listen([LOOPBACK]);
    const { port } = relay;
    // all of 127/8 is this computer on Linux; elsewhere there is one address to move from and to
    const other = process.platform === 'linux' ? '127.0.0.2' : LOOPBACK;
    await relay.listen([other]);
    expect(relay.port).toBe(port);
    await relay.listen([]);
    expect(relay.port).toBeUndefined();
    await vi.waitFor(async () => {
      const again = new Relay({ port: port ?? 0, relays: false, mayRelayTo: () => true });
      await again.listen([LOOPBACK]);
      await again.close();
    });
  });
});

describe('credentials', () => {
  it('say room and end, and nobody makes them without the key', () => {
    let now = 1_000_000;
    const maker = new CredentialMaker(() => now);
    const { username, credential } = maker.make(ROOM, 60_000);
    expect(maker.passwordOf(username)).toBe(credential);
    expect(maker.roomOf(username)).toBe(ROOM);
    expect(new CredentialMaker(() => now).passwordOf(username)).not.toBe(credential);
    now += 60_000;
    expect(maker.roomOf(username)).toBeUndefined();
    for (const odd of ['', ROOM, `:${ROOM}`, `1:${ROOM}x`, `x:${ROOM}`, `1:${ROOM}\n`]) {
      expect(maker.passwordOf(odd)).toBeUndefined();
    }
  });
});
