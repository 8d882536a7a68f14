import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { Socket as Connection, Server as NetServer } from 'node:net';
import {
  type Allocation,
  createServer,
  type Session,
  type Socket as TurnClient,
  type Server as TurnServer,
} from 'turn-server';
import { CredentialMaker, type RelayCredentials } from './credentials.ts';
import { Strangers } from './strangers.ts';
import { bindingAnswer } from './stun.ts';

/** What a relay is asked for. */
export interface RelayOptions {
  /** UDP and TCP port; 0 takes any free one. */
  readonly port: number;
  /** Relays (TURN), beside telling a device its address (STUN). */
  readonly relays: boolean;
  /** Whether packets that come to this computer's address `via` may be relayed to another computer's address. */
  readonly mayRelayTo: (ip: string, via: string) => boolean;
  readonly limits?: Partial<RelayLimits>;
  readonly wallClock?: () => number;
}

/** What a relay carries. */
export interface RelayLimits {
  readonly relays: number;
  readonly relaysPerRoom: number;
  readonly clients: number;
  /** Of those that have no relay: from one address, and for how long each. */
  readonly strangersPerAddress: number;
  readonly strangerMs: number;
  /** How long a relay can be asked for, and used, with the credentials of one answer. */
  readonly credentialsMs: number;
  /** UDP ports that relays take, first and last. */
  readonly ports: readonly [number, number];
}

export const DEFAULT_RELAY_LIMITS: RelayLimits = {
  relays: 512,
  relaysPerRoom: 256,
  clients: 2_048,
  // 30 devices behind one address that make 4 connections each at the same time, over UDP and TCP
  strangersPerAddress: 256,
  strangerMs: 10_000,
  credentialsMs: 60 * 60_000,
  ports: [49_152, 50_175],
};

const REALM = 'shoal';
const UDP = 17;
const FAMILY_IPV6 = 2;
/** Below are the services of a computer, a router, a printer; no browser takes such a port for WebRTC. */
const LEAST_PEER_PORT = 1024;

interface OpenAddress {
  readonly address: string;
  readonly port: number;
  readonly answersTcp: boolean;
  close(): Promise<void>;
}

/**
 * Tells devices under which address they are seen (STUN), and with `relays` hands on their packets (TURN), which are
 * encrypted from device to device. Only who has credentials of this process gets a relay, until these end, and only to
 * where `mayRelayTo` allows and to other relays.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #credentials: CredentialMaker;
  readonly #open = new Map<string, OpenAddress>();
  readonly #relaysByRoom = new Map<string, number>();
  /** When each relay that is in use ends with its credentials. */
  readonly #ends = new Map<Allocation, NodeJS.Timeout>();
  /** `ADDRESS:PORT` of relays that are in use. */
  readonly #relayAddresses = new Set<string>();
  #port: number;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#limits = { ...DEFAULT_RELAY_LIMITS, ...options.limits };
    this.#credentials = new CredentialMaker(options.wallClock);
  }

  /**
   * Answers on these IPv4 addresses and no longer on others. All of them get the port of the first that it ever had.
   * @throws Error with code EADDRINUSE where another program has the port
   */
  async listen(addresses: readonly string[]): Promise<void> {
    for (const [address, open] of this.#open) {
      if (addresses.includes(address)) continue;
      this.#open.delete(address);
      await open.close();
    }
    for (const address of addresses) {
      if (this.#open.has(address)) continue;
      const opened = await this.#listenOn(address, this.#port);
      this.#port = opened.port;
      this.#open.set(address, opened);
    }
  }

  /** The port, once it listens. */
  get port(): number | undefined {
    return this.#open.size > 0 ? this.#port : undefined;
  }

  get relays(): boolean {
    return this.#options.relays;
  }

  /** Relays that are in use. */
  get inUse(): number {
    return this.#ends.size;
  }

  /** How long credentials are good for. */
  get credentialsMs(): number {
    return this.#limits.credentialsMs;
  }

  /** Whether it can also be reached over TCP, where a network lets no UDP through. */
  answersTcp(address: string): boolean {
    return this.#open.get(address)?.answersTcp ?? false;
  }

  credentials(room: string): RelayCredentials {
    return this.#credentials.make(room, this.#limits.credentialsMs);
  }

  async close(): Promise<void> {
    await this.listen([]);
  }

  async #listenOn(address: string, port: number): Promise<OpenAddress> {
    const socket = await bind(address, port);
    const bound = socket.address().port;
    const server = createServer({
      auth: { mechanism: 'long-term', realm: REALM },
      relay: { ip: address, externalIp: address, portRange: [...this.#limits.ports] },
      socket,
      maxConnections: this.#limits.clients,
      // mayRelayTo decides
      allowLoopback: true,
    });
    this.#guard(server, address);
    socket.on('message', (message: Buffer, from: RemoteInfo) => {
      // nothing can be sent to that port; a raw socket sends from it
      if (from.port === 0) return;
      try {
        // without a trace of who asked: nobody is kept from it by how many do
        const answer = bindingAnswer(message, from);
        if (answer) socket.send(answer, from.port, from.address);
        else server.handlePacket(message, from);
      } catch {
        // one packet of anybody never ends the server
      }
    });
    // an ICMP answer to something sent earlier: the next packet may arrive
    socket.on('error', () => {});
    const answersTcp = this.#options.relays && (await listenTcp(server, address, bound));
    return {
      address,
      port: bound,
      answersTcp,
      close: async () => {
        // does not wait for devices that keep their TCP connection open
        server.stop();
        await new Promise<void>((resolve) => socket.close(() => resolve()));
      },
    };
  }

  #guard(server: TurnServer, via: string): void {
    const strangers = new Strangers(this.#limits);
    server.on('error', () => {});
    server.on('accept', ({ source }, answer) => answer(strangers.admits(source.ip)));
    server.on('connection', (client) => {
      strangers.add(client);
      client.on('close', () => strangers.remove(client));
      answerSecondTry(client.getSession());
    });
    server.on('authenticate', (username, _realm, answer) => {
      answer((this.#options.relays && this.#credentials.passwordOf(username)) || null);
    });
    server.on('beforeAllocate', ({ username, transport, requestedFamily }, answer) => {
      const room = this.#credentials.roomOf(username);
      answer(
        room !== undefined &&
          transport === UDP &&
          requestedFamily !== FAMILY_IPV6 &&
          this.inUse < this.#limits.relays &&
          (this.#relaysByRoom.get(room) ?? 0) < this.#limits.relaysPerRoom,
      );
    });
    // a permission is for all ports of an address: which of them is looked at with each packet
    server.on('beforePermission', ({ peer }, answer) => {
      answer(this.#isPeer(peer.ip, via));
    });
    server.on('beforeChannelBind', ({ peer }, answer) => {
      answer(this.#isPeer(peer.ip, via) && this.#isPeerPort(peer));
    });
    server.on('beforeRelay', ({ peer, direction }, answer) => {
      answer(direction !== 'outbound' || this.#isPeerPort(peer));
    });
    // TCP connections to others (RFC 6062) are nothing that WebRTC needs
    server.on('beforeConnect', (_info, answer) => answer(false));
    server.on('allocate', (client, relay) => {
      strangers.remove(client);
      this.#begin(client, relay);
    });
    server.on('allocate:expired', (client, relay) => {
      // one for which no port was free ends without having begun
      if (!this.#ends.has(relay)) return;
      this.#end(relay);
      strangers.add(client);
    });
  }

  /** Another computer that may be reached, or this one, where only relays are. */
  #isPeer(ip: string, via: string): boolean {
    // a relay for the network sends nothing to this computer's loopback interface
    if (this.#open.has(ip)) return ip.startsWith('127.') === via.startsWith('127.');
    return this.#options.mayRelayTo(ip, via);
  }

  #isPeerPort({ ip, port }: { readonly ip: string; readonly port: number }): boolean {
    return this.#open.has(ip) ? this.#relayAddresses.has(`${ip}:${port}`) : port >= LEAST_PEER_PORT;
  }

  #begin(client: TurnClient, relay: Allocation): void {
    const leftMs = this.#credentials.leftMs(relay.username ?? '');
    this.#ends.set(
      relay,
      setTimeout(() => client.close(), leftMs),
    );
    this.#relayAddresses.add(addressOf(relay));
    this.#count(relay, 1);
  }

  #end(relay: Allocation): void {
    clearTimeout(this.#ends.get(relay));
    this.#ends.delete(relay);
    this.#relayAddresses.delete(addressOf(relay));
    this.#count(relay, -1);
  }

  #count({ username }: Allocation, change: 1 | -1): void {
    const room = username?.split(':')[1] ?? '';
    const relays = (this.#relaysByRoom.get(room) ?? 0) + change;
    if (relays > 0) this.#relaysByRoom.set(room, relays);
    else this.#relaysByRoom.delete(room);
  }
}

function addressOf({ relayAddress: { ip, port } }: Allocation): string {
  return `${ip}:${port}`;
}

/**
 * libjuice (in node-datachannel) answers the challenge under the transaction id of its first try, which turn-server takes
 * for that try sent again, and repeats the challenge. A refusal is therefore not remembered.
 */
function answerSecondTry(session: Session): void {
  session.on('message', (response: Uint8Array) => {
    const isError = ((response[0] ?? 0) & 0x01) !== 0 && ((response[1] ?? 0) & 0x10) !== 0;
    if (isError) session.context.lastTransactionId = null;
  });
}

function bind(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** @returns false where another program has the TCP port: UDP then serves alone */
function listenTcp(server: TurnServer, address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.on('listening', ({ transport }) => {
      if (transport !== 'tcp') return;
      closeWithClient(server);
      resolve(true);
    });
    server.on('error', (error) => {
      if ('transport' in error && error.transport === 'tcp') resolve(false);
    });
    server.listen([{ transport: 'tcp', port, address }]);
  });
}

/** turn-server leaves a client's TCP connection open when it has forgotten the client. */
function closeWithClient(server: TurnServer): void {
  const { listeners } = server.context as { readonly listeners: readonly { type: string; socket: NetServer }[] };
  const tcp = listeners.find(({ type }) => type === 'tcp')?.socket;
  let arriving: Connection | undefined;
  server.on('connection', (client) => {
    const connection = arriving;
    if (connection) client.on('close', () => connection.destroy());
  });
  // around its own listener, which makes the client
  tcp?.prependListener('connection', (connection) => {
    arriving = connection;
  });
  tcp?.on('connection', () => {
    arriving = undefined;
  });
}
