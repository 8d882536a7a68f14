import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cacheFolder } from './cache-folder.ts';
import { iceServersFor } from './relay/ice-servers.ts';
import { Relay, type RelayLimits } from './relay/relay.ts';
import { answer, type ServedContent, upgrade } from './requests.ts';
import type { RoomLimits } from './rooms/limits.ts';
import { Signaling } from './rooms/signaling.ts';
import { Starter } from './starter.ts';

export { answer, type ServedContent, upgrade } from './requests.ts';
export type { StarterState } from './starter.ts';

/** What `startServer` is asked for; `port` 0 takes any free one. */
export interface ServerOptions {
  readonly port: number;
  readonly appFolder?: string;
  readonly modelsFolder?: string;
  readonly listedOrigins?: readonly string[];
  /** Where the starter model is kept; the platform's cache folder by default. */
  readonly cacheFolder?: string;
  /** UDP port that answers STUN; 0 takes any free one, none is opened where it is absent. */
  readonly stunPort?: number;
  /** Any free port will do where another program has `stunPort`: pages ask which it is. */
  readonly stunPortMayMove?: boolean;
  /** Relays on the loopback interface: for tests of devices that have no other way to one another. */
  readonly relayOnLoopback?: boolean;
  readonly roomLimits?: Partial<RoomLimits>;
  readonly relayLimits?: Partial<RelayLimits>;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://localhost:PORT` */
  readonly origin: string;
  readonly port: number;
  readonly stunPort?: number;
  readonly starter: Starter;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** What a server serves, and what of it must be closed. */
export interface OpenContent extends ServedContent {
  readonly relay?: Relay;
  close(): Promise<void>;
}

/**
 * What the server serves, from its options.
 * @throws Error with code EADDRINUSE where another program has the STUN port
 */
export async function openContent(options: Omit<ServerOptions, 'port'>): Promise<OpenContent> {
  const relay = options.stunPort === undefined ? undefined : await openRelay(options.stunPort, options);
  const signaling = new Signaling(
    {
      ice: (room, request) => iceServersFor(relay, room, request, undefined),
      server: () => ({ origins: [] }),
    },
    options.roomLimits,
  );
  return {
    ...(options.appFolder === undefined ? {} : { appFolder: options.appFolder }),
    ...(options.modelsFolder === undefined ? {} : { modelsFolder: options.modelsFolder }),
    ...(relay === undefined ? {} : { relay }),
    listedOrigins: options.listedOrigins ?? [],
    starter: new Starter(options.cacheFolder ?? cacheFolder()),
    signaling,
    close: async () => {
      signaling.close();
      await relay?.close();
    },
  };
}

async function openRelay(port: number, options: Omit<ServerOptions, 'port'>): Promise<Relay> {
  const relay = new Relay({
    port,
    relays: options.relayOnLoopback ?? false,
    mayRelayTo: (ip) => ip === LOOPBACK,
    ...(options.relayLimits === undefined ? {} : { limits: options.relayLimits }),
  });
  try {
    await relay.listen([LOOPBACK]);
    return relay;
  } catch (error) {
    if (!options.stunPortMayMove || port === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return openRelay(0, options);
  }
}

/**
 * Serves the app, a folder of models and signaling on the loopback interface alone.
 * @throws Error with code EADDRINUSE where another program has the port
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const content = await openContent(options);
  const servers: Server[] = [];
  const close = async () => {
    await Promise.all([...servers.map(closeServer), content.close()]);
  };
  try {
    const first = await listen(content, LOOPBACK, options.port);
    servers.push(first);
    const { port } = first.address() as AddressInfo;
    try {
      // browsers may try localhost as ::1 first, where another program could answer
      servers.push(await listen(content, '::1', port));
    } catch (error) {
      // else there is no IPv6 on this machine
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw error;
    }
    return {
      origin: `http://localhost:${port}`,
      port,
      ...(content.relay?.port === undefined ? {} : { stunPort: content.relay.port }),
      starter: content.starter,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Answers requests with the content; what fails is said on the terminal, without what was asked. */
export function listenerOf(content: ServedContent): RequestListener {
  return (request, response) => {
    answer(content, request, response).catch((error: unknown) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  };
}

function listen(content: ServedContent, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(listenerOf(content));
    server.on('upgrade', (request, socket, head) => {
      if (!upgrade(content, request, socket, head)) socket.destroy();
    });
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
