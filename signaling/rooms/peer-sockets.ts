import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import express from 'express';
import { ExpressPeerServer } from 'peer';
import { type RawData, type Server, WebSocket, WebSocketServer } from 'ws';
import type { RoomLimits } from './limits.ts';
import { networkAddress } from './network-address.ts';
import { Buckets, TokenBucket } from './token-bucket.ts';

/** Close codes: of RFC 6455, and one of the range left to applications. */
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;
const OPENED_AGAIN = 4000;

const PEER_ID = /^[\w-]{1,64}$/;
const TOKEN = /^[\w.-]{1,64}$/;
/** What a client of PeerJS sends; the rest of the protocol is said by the server alone. */
const RELAYED_TYPES: ReadonlySet<unknown> = new Set(['OFFER', 'ANSWER', 'CANDIDATE', 'LEAVE']);
/** How long PeerServer keeps what was said to a peer that is not connected, and a sweep of it. */
const KEPT_SECONDS = 6;
/** A peer that does not read is dropped before what waits for it fills the memory. */
const UNREAD_BYTES = 1024 * 1024;

/** Whose connection has an id: that of who asks, another's, or nobody's. */
export type Holder = 'own' | 'other' | 'nobody';

interface OpenPeer {
  readonly token: string;
  readonly address: string;
  readonly socket: WebSocket;
  readonly bucket: TokenBucket;
  /** Of others that call it, by network address. */
  readonly calls: Buckets;
}

/** Sees each message before PeerServer does. */
class GuardedSocket extends WebSocket {
  guard: ((data: RawData) => boolean) | undefined;

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'message' && this.guard?.(args[0] as RawData) === false) return true;
    return super.emit(event, ...args);
  }
}

/**
 * PeerServer, which introduces browsers to one another, within limits. It hands on what peers say and keeps nothing but
 * who is connected, and for 5 s what was said to somebody who is not.
 */
export class PeerSockets {
  readonly #limits: RoomLimits;
  readonly #now: () => number;
  readonly #onGone: (peer: string) => void;
  readonly #peers = new Map<string, OpenPeer>();
  readonly #connectionsOf = new Map<string, number>();
  readonly #newIds: Buckets;
  /** What may be said to peers that are not connected, bytes. */
  readonly #waiting: TokenBucket;
  readonly #waitingOf: Buckets;
  readonly #upgrades: Server<typeof GuardedSocket>;
  readonly #routes: express.Express;

  /**
   * @param mountPath where PeerServer's own paths begin, such as `/signaling`
   * @param onGone a peer's last connection has closed
   */
  constructor(mountPath: string, limits: RoomLimits, now: () => number, onGone: (peer: string) => void) {
    this.#limits = limits;
    this.#now = now;
    this.#onGone = onGone;
    const { idsPerMinute, waitingBytes, waitingBytesPerAddress } = limits;
    this.#newIds = new Buckets(idsPerMinute / 60, idsPerMinute, now);
    // what passes within the time is at most the burst and as much again
    this.#waiting = new TokenBucket(waitingBytes / 2 / KEPT_SECONDS, waitingBytes / 2, now());
    this.#waitingOf = new Buckets(waitingBytesPerAddress / 2 / KEPT_SECONDS, waitingBytesPerAddress / 2, now);
    this.#upgrades = new WebSocketServer({
      noServer: true,
      maxPayload: limits.messageBytes,
      WebSocket: GuardedSocket,
      perMessageDeflate: false,
    });
    const peerServer = ExpressPeerServer(createServer(), {
      path: '/',
      allow_discovery: false,
      concurrent_limit: limits.connections,
      // who may ask is decided before a request comes here
      corsOptions: { origin: false },
      createWebSocketServer: () => this.#upgrades,
    });
    // a message that is too large, a broken frame: ws closes that connection by itself
    peerServer.on('error', () => {});
    this.#routes = express().disable('x-powered-by').use(mountPath, peerServer);
  }

  /** PeerServer's own requests: an id for who wants one. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    this.#routes(request, response);
  }

  /** Opens a connection that asks as PeerJS does: `?key=peerjs&id=…&token=…`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const query = new URL(request.url ?? '', 'http://peers').searchParams;
    const id = query.get('id') ?? '';
    const token = query.get('token') ?? '';
    const { connections, connectionsPerAddress, idsPerMinute } = this.#limits;
    const address = networkAddress(request);
    if (!PEER_ID.test(id) || !TOKEN.test(token)) {
      refuseUpgrade(socket, 400, 'id and token have 1 to 64 letters, digits, - or _');
      return;
    }
    if (this.#upgrades.clients.size >= connections) {
      refuseUpgrade(socket, 503, `${connections} connections are open, which is all this server takes`);
      return;
    }
    if ((this.#connectionsOf.get(address) ?? 0) >= connectionsPerAddress) {
      refuseUpgrade(
        socket,
        429,
        `${connectionsPerAddress} connections of this address are open, which is all it may have`,
      );
      return;
    }
    const holder = this.holder(id, token);
    if (holder === 'nobody' && !this.#newIds.take(address)) {
      refuseUpgrade(socket, 429, `more than ${idsPerMinute} new devices of this address in a minute`);
      return;
    }
    this.#upgrades.handleUpgrade(request, socket, head, (opened) => {
      this.#count(address, 1);
      opened.on('close', () => this.#count(address, -1));
      if (holder !== 'other') this.#register(id, token, address, opened);
      this.#upgrades.emit('connection', opened, request);
    });
  }

  /** Whether this id is connected, under this token or another's. */
  holder(id: string, token: string): Holder {
    const peer = this.#peers.get(id);
    if (!peer) return 'nobody';
    return peer.token === token ? 'own' : 'other';
  }

  /** Counts a request of the peer like a message; false where it asks too often. */
  take(id: string): boolean {
    return this.#peers.get(id)?.bucket.take(this.#now()) ?? false;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** Closes every connection. PeerServer's own sweeps end with the process: it has no way to stop them. */
  close(): void {
    for (const client of this.#upgrades.clients) {
      client.close(GOING_AWAY, 'the server stops');
      client.terminate();
    }
  }

  /** Forgets addresses that have not been heard of for a while. */
  sweep(): void {
    this.#newIds.sweep();
    for (const { calls } of this.#peers.values()) calls.sweep();
    this.#waitingOf.sweep();
  }

  #count(address: string, change: 1 | -1): void {
    const connections = (this.#connectionsOf.get(address) ?? 0) + change;
    if (connections > 0) this.#connectionsOf.set(address, connections);
    else this.#connectionsOf.delete(address);
  }

  #register(id: string, token: string, address: string, socket: GuardedSocket): void {
    const before = this.#peers.get(id);
    const { messagesPerSecond, messageBurst, callsPerMinute } = this.#limits;
    const peer: OpenPeer = {
      token,
      address,
      socket,
      // who connects again does not get a new allowance by it
      bucket: before?.bucket ?? new TokenBucket(messagesPerSecond, messageBurst, this.#now()),
      calls: before?.calls ?? new Buckets(callsPerMinute / 60, callsPerMinute, this.#now),
    };
    this.#peers.set(id, peer);
    before?.socket.close(OPENED_AGAIN, 'this peer connected again');
    socket.guard = (data) => this.#admit(peer, data);
    socket.on('close', () => {
      if (this.#peers.get(id) !== peer) return;
      this.#peers.delete(id);
      this.#onGone(id);
    });
  }

  #admit(peer: OpenPeer, data: RawData): boolean {
    // what was on its way when the connection was refused
    if (peer.socket.readyState !== WebSocket.OPEN) return false;
    if (!peer.bucket.take(this.#now())) {
      const { messagesPerSecond, messageBurst } = this.#limits;
      peer.socket.close(POLICY_VIOLATION, `more than ${messagesPerSecond} messages a second, ${messageBurst} at once`);
      return false;
    }
    const message = parseMessage(data);
    if (message === undefined) {
      peer.socket.close(POLICY_VIOLATION, 'not a message of PeerJS');
      return false;
    }
    if (message.to === undefined) return true;
    const receiver = this.#peers.get(message.to);
    if (!receiver) return this.#mayWait(peer, message.to, byteLength(data));
    if (message.isCall && !receiver.calls.take(peer.address)) return this.#expire(peer, message.to);
    if (receiver.socket.bufferedAmount > UNREAD_BYTES) receiver.socket.terminate();
    return true;
  }

  /** Whether PeerServer may keep it for a peer that is not here; else the sender is told so at once. */
  #mayWait(from: OpenPeer, to: string, bytes: number): boolean {
    if (this.#waitingOf.take(from.address, bytes) && this.#waiting.take(this.#now(), bytes)) return true;
    return this.#expire(from, to);
  }

  /** Tells the sender that what it said does not get there. */
  #expire(from: OpenPeer, to: string): false {
    from.socket.send(JSON.stringify({ type: 'EXPIRE', src: to }));
    return false;
  }
}

/** Answers an upgrade with an error and closes the connection. */
export function refuseUpgrade(socket: Duplex, status: number, reason: string): void {
  const text = `${reason}\n`;
  socket.end(
    [
      `HTTP/1.1 ${status} Refused`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(text)}`,
      '',
      text,
    ].join('\r\n'),
  );
}

function byteLength(data: RawData): number {
  return Array.isArray(data) ? data.reduce((bytes, part) => bytes + part.length, 0) : data.byteLength;
}

/** @returns whom a message of PeerJS is for, nobody where it is a heartbeat; undefined where it is no such message */
function parseMessage(data: RawData): { readonly to?: string; readonly isCall?: boolean } | undefined {
  let message: unknown;
  try {
    message = JSON.parse(data.toString());
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null) return undefined;
  const { type, dst } = message as { type?: unknown; dst?: unknown };
  if (type === 'HEARTBEAT') return {};
  if (!RELAYED_TYPES.has(type) || typeof dst !== 'string' || !PEER_ID.test(dst)) return undefined;
  return { to: dst, isCall: type === 'OFFER' };
}
