import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type Allocation, createServer, type Session, type Server as TurnServer } from 'turn-server';
import { CredentialMaker, type RelayCredentials } from './credentials.ts';

/** What a relay is asked for. */
export interface RelayOptions {
  /** UDP and TCP port; 0 takes any free one. */
  readonly port: number;
  /** Relays (TURN), beside telling a device its address (STUN). */
  readonly relays: boolean;
  /** Whether packets may be relayed to this address. */
  readonly mayRelayTo: (ip: string) => boolean;
  readonly limits?: Partial<RelayLimits>;
  readonly wallClock?: () => number;
}

/** What a relay carries. */
export interface RelayLimits {
  readonly relays: number;
  readonly relaysPerRoom: number;
  readonly clients: number;
  /** UDP ports that relays take, first and last. */
  readonly ports: readonly [number, number];
}

export const DEFAULT_RELAY_LIMITS: RelayLimits = {
  relays: 512,
  relaysPerRoom: 256,
  clients: 2_048,
  ports: [49_152, 50_175],
};

/** How long a new relay can be asked for. */
export const CREDENTIALS_MS = 60 * 60_000;

const REALM = 'shoal';
const UDP = 17;
const FAMILY_IPV6 = 2;

interface OpenAddress {
  readonly address: string;
  readonly port: number;
  readonly answersTcp: boolean;
  close(): Promise<void>;
}

/**
 * Tells devices under which address they are seen (STUN), and with `relays` hands on their packets (TURN), which are
 * encrypted from device to device. Only who has credentials of this process gets a relay, and only to where `mayRelayTo`
 * allows.
 */
export class Relay {
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #credentials: CredentialMaker;
  readonly #open = new Map<string, OpenAddress>();
  readonly #relaysByRoom = new Map<string, number>();
  readonly #counted = new WeakSet<Allocation>();
  #relays = 0;
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
    return this.#relays;
  }

  /** Whether it can also be reached over TCP, where a network lets no UDP through. */
  answersTcp(address: string): boolean {
    return this.#open.get(address)?.answersTcp ?? false;
  }

  credentials(room: string): RelayCredentials {
    return this.#credentials.make(room, CREDENTIALS_MS);
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
    this.#guard(server);
    socket.on('message', (message: Buffer, from: RemoteInfo) => server.handlePacket(message, from));
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

  #guard(server: TurnServer): void {
    server.on('error', () => {});
    server.on('connection', (client) => answerSecondTry(client.getSession()));
    server.on('authenticate', (username, _realm, answer) => {
      answer((this.#options.relays && this.#credentials.passwordOf(username)) || null);
    });
    server.on('beforeAllocate', ({ username, transport, requestedFamily }, answer) => {
      const room = this.#credentials.roomOf(username);
      answer(
        room !== undefined &&
          transport === UDP &&
          requestedFamily !== FAMILY_IPV6 &&
          this.#relays < this.#limits.relays &&
          (this.#relaysByRoom.get(room) ?? 0) < this.#limits.relaysPerRoom,
      );
    });
    server.on('beforePermission', ({ peer }, answer) => answer(this.#options.mayRelayTo(peer.ip)));
    server.on('beforeChannelBind', ({ peer }, answer) => answer(this.#options.mayRelayTo(peer.ip)));
    // TCP connections to others (RFC 6062) are nothing that WebRTC needs
    server.on('beforeConnect', (_info, answer) => answer(false));
    server.on('allocate', (_client, relay) => {
      this.#counted.add(relay);
      this.#count(relay, 1);
    });
    server.on('allocate:expired', (_client, relay) => {
      // one for which no port was free ends without having begun
      if (this.#counted.delete(relay)) this.#count(relay, -1);
    });
  }

  #count({ username }: Allocation, change: 1 | -1): void {
    const room = username?.split(':')[1] ?? '';
    const relays = (this.#relaysByRoom.get(room) ?? 0) + change;
    this.#relays += change;
    if (relays > 0) this.#relaysByRoom.set(room, relays);
    else this.#relaysByRoom.delete(room);
  }
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
      if (transport === 'tcp') resolve(true);
    });
    server.on('error', (error) => {
      if ('transport' in error && error.transport === 'tcp') resolve(false);
    });
    server.listen([{ transport: 'tcp', port, address }]);
  });
}
