import type { IncomingMessage, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { answerPreflight, say, sendJson } from '../replies.ts';
import { Directory, type DirectoryRefusal, isRoomName } from './directory.ts';
import { DEFAULT_ROOM_LIMITS, type RoomLimits } from './limits.ts';
import { networkAddress } from './network-address.ts';
import { type Holder, PeerSockets, refuseUpgrade } from './peer-sockets.ts';
import { Buckets } from './token-bucket.ts';

/** One entry of RTCConfiguration.iceServers. */
export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

/** What POST /signaling/ice answers with. */
export interface IceAnswer {
  readonly iceServers: readonly IceServer[];
  /** How long a relay can be asked for, and used, with these credentials. */
  readonly expiresMs: number;
}

/** What GET /signaling/server answers with. */
export interface ServerAnswer {
  /** Addresses of the app that other devices of this network can open, best first; none without --lan. */
  readonly origins: readonly string[];
  /** Where another device reads how to trust this server; absent where it need not. */
  readonly steps?: string;
}

/** What signaling asks of the rest of the server. */
export interface SignalingSurroundings {
  ice(room: string, request: IncomingMessage): IceAnswer;
  server(): ServerAnswer;
}

export const SIGNALING_PATH = '/signaling/';
const SOCKET_PATH = `${SIGNALING_PATH}peerjs`;
const ALLOWED = 'GET, HEAD, POST, OPTIONS';
const SWEEP_MS = 10_000;

const REFUSALS: Readonly<Record<DirectoryRefusal, (limits: RoomLimits) => string>> = {
  'too-many-rooms': ({ rooms }) => `this server lists ${rooms} rooms, which is all it takes`,
  'too-many-rooms-of-this-address': ({ roomsPerAddress }) =>
    `devices of this address are listed in ${roomsPerAddress} rooms already`,
  'too-many-rooms-of-this-peer': ({ roomsPerPeer }) => `this device is listed in ${roomsPerPeer} rooms already`,
};

/**
 * Introduces devices of a room to one another: PeerServer for what they say before a connection stands, and a directory
 * of who is there. It holds public names and connections, nothing on disk, nothing in a log.
 */
export class Signaling {
  readonly #limits: RoomLimits;
  readonly #surroundings: SignalingSurroundings;
  readonly #directory: Directory;
  readonly #peers: PeerSockets;
  readonly #byAddress: Buckets;
  readonly #sweeps: NodeJS.Timeout;

  constructor(
    surroundings: SignalingSurroundings,
    limits: Partial<RoomLimits> = {},
    now: () => number = () => performance.now(),
  ) {
    this.#limits = { ...DEFAULT_ROOM_LIMITS, ...limits };
    this.#surroundings = surroundings;
    this.#directory = new Directory(this.#limits, now);
    this.#peers = new PeerSockets(SIGNALING_PATH.slice(0, -1), this.#limits, now, (peer) =>
      this.#directory.forget(peer),
    );
    this.#byAddress = new Buckets(this.#limits.messagesPerSecond, this.#limits.messageBurst, now);
    this.#sweeps = setInterval(() => {
      this.#directory.sweep();
      this.#byAddress.sweep();
      this.#peers.sweep();
    }, SWEEP_MS);
    this.#sweeps.unref();
  }

  /** Answers a request below /signaling/ that was admitted. */
  async answer(request: IncomingMessage, response: ServerResponse, pathname: string): Promise<true> {
    if (request.method === 'OPTIONS') return answerPreflight(request, response, ALLOWED, 'Content-Type');
    const [what = '', room = '', action, ...rest] = pathname.slice(SIGNALING_PATH.length).split('/');
    if (!this.#byAddress.take(networkAddress(request))) return tooOften(response, this.#limits);
    if (request.method === 'POST' && what === 'rooms' && rest.length === 0) {
      return this.#change(request, response, room, action);
    }
    if (request.method === 'POST' && pathname === `${SIGNALING_PATH}ice`) return this.#ice(request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', ALLOWED);
      return say(response, 405, `${request.method} is not served here`);
    }
    if (what === 'rooms' && action === undefined) {
      if (!isRoomName(room)) return say(response, 400, 'a room has a name of 22 letters, digits, - or _');
      return sendJson(request, response, 200, { peers: this.#directory.list(room) });
    }
    if (pathname === `${SIGNALING_PATH}server`) return sendJson(request, response, 200, this.#surroundings.server());
    if (what === 'peerjs' && room === 'id' && action === undefined) {
      this.#peers.answer(request, response);
      return true;
    }
    return say(response, 404, 'nothing here has this address');
  }

  /** Takes over a WebSocket that was admitted; false where the path is not of signaling. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if ((request.url ?? '').replace(/[?#].*$/, '') !== SOCKET_PATH) return false;
    if (this.#byAddress.take(networkAddress(request))) this.#peers.upgrade(request, socket, head);
    else refuseUpgrade(socket, 429, 'too many connections from this address');
    return true;
  }

  close(): void {
    clearInterval(this.#sweeps);
    this.#peers.close();
  }

  /** POST rooms/NAME announces, POST rooms/NAME/leave takes back; both say who by the id and token of PeerJS. */
  async #change(
    request: IncomingMessage,
    response: ServerResponse,
    room: string,
    action: string | undefined,
  ): Promise<true> {
    if (action !== undefined && action !== 'leave') return say(response, 404, 'nothing here has this address');
    if (!isRoomName(room)) return say(response, 400, 'a room has a name of 22 letters, digits, - or _');
    const who = await this.#who(request, response);
    if (who === undefined) return true;
    const { holder } = who;
    if (action === 'leave') {
      if (holder === 'own') this.#directory.leave(room, who.peer);
      response.writeHead(204);
      response.end();
      return true;
    }
    if (holder === 'nobody') return say(response, 409, 'this peer has no PeerJS connection here; open that first');
    if (!this.#peers.take(who.peer)) return tooOften(response, this.#limits);
    const peers = this.#directory.announce(room, who.peer, networkAddress(request));
    if (typeof peers === 'string') {
      response.setHeader('Retry-After', Math.ceil(this.#limits.entryMs / 1000));
      return say(response, 429, REFUSALS[peers](this.#limits));
    }
    return sendJson(request, response, 200, { peers, expiresMs: this.#limits.entryMs });
  }

  /** ICE servers, with credentials of the relay, for who is listed in the room that it names. */
  async #ice(request: IncomingMessage, response: ServerResponse): Promise<true> {
    const who = await this.#who(request, response);
    if (who === undefined) return true;
    const { room } = who;
    if (room === undefined || !isRoomName(room)) return say(response, 400, 'which room? its name has 22 letters');
    if (who.holder === 'nobody' || !this.#directory.isListed(room, who.peer))
      return say(response, 409, 'this peer is not listed in that room; announce it first');
    if (!this.#peers.take(who.peer)) return tooOften(response, this.#limits);
    return sendJson(request, response, 200, this.#surroundings.ice(room, request));
  }

  /** Who asks, by the body of the request; answers it and returns undefined where that is nobody it could be. */
  async #who(request: IncomingMessage, response: ServerResponse): Promise<(Who & { holder: Holder }) | undefined> {
    const text = await readBody(request, this.#limits.messageBytes);
    if (text === undefined) {
      response.setHeader('Connection', 'close');
      say(response, 413, `more than ${this.#limits.messageBytes} bytes`);
      return undefined;
    }
    const who = parseWho(text);
    if (!who) {
      say(response, 400, '{"peer": …, "token": …} is wanted: the id and token of the PeerJS connection');
      return undefined;
    }
    const holder = this.#peers.holder(who.peer, who.token);
    if (holder !== 'other') return { ...who, holder };
    say(response, 403, 'another connection has this peer id');
    return undefined;
  }
}

function tooOften(response: ServerResponse, limits: RoomLimits): true {
  response.setHeader('Retry-After', '1');
  return say(response, 429, `more than ${limits.messagesPerSecond} requests a second, ${limits.messageBurst} at once`);
}

/** @returns undefined where it is longer than `most` bytes; the rest is then not read */
function readBody(request: IncomingMessage, most: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= most) parts.push(part);
      else {
        request.removeAllListeners('data').pause();
        resolve(undefined);
      }
    });
    request.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    request.on('error', reject);
  });
}

interface Who {
  readonly peer: string;
  readonly token: string;
  readonly room?: string;
}

function parseWho(text: string): Who | undefined {
  try {
    const { peer, token, room } = JSON.parse(text) as Record<string, unknown>;
    if (typeof peer !== 'string' || typeof token !== 'string') return undefined;
    return { peer, token, ...(typeof room === 'string' ? { room } : {}) };
  } catch {
    return undefined;
  }
}
