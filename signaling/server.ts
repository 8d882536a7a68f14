import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { cacheFolder } from './cache-folder.ts';
import { configFolder } from './config-folder.ts';
import type { LanServer, LanState, OwnCertificate } from './lan/lan-server.ts';
import type { ThisComputer } from './lan/this-computer.ts';
import { iceServersFor } from './relay/ice-servers.ts';
import { Relay, type RelayLimits } from './relay/relay.ts';
import { answer, type ServedContent, upgrade } from './requests.ts';
import type { RoomLimits } from './rooms/limits.ts';
import { Signaling } from './rooms/signaling.ts';
import { Starter } from './starter.ts';

export { lanLines } from './lan/terminal.ts';
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
  /** Serves other devices of the local network, too. */
  readonly lan?: LanRequest;
  readonly roomLimits?: Partial<RoomLimits>;
  readonly relayLimits?: Partial<RelayLimits>;
}

/** How other devices are served. */
export interface LanRequest {
  /** HTTPS; the loopback interface's port where it is absent. */
  readonly port?: number;
  readonly wantedInterface?: string;
  /** A certificate of one's own in place of one from the server's own authority. */
  readonly certificate?: OwnCertificate;
  /** Where the authority is kept; the platform's folder for settings by default. */
  readonly configFolder?: string;
  /** For tests: another computer than this one, and listeners on loopback all the same. */
  readonly computer?: ThisComputer;
  readonly bindAddress?: (address: string) => string;
  readonly mdnsAnswerMs?: number;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://localhost:PORT` */
  readonly origin: string;
  readonly port: number;
  readonly stunPort?: number;
  readonly starter: Starter;
  /** How other devices are served, at this moment. */
  lan?(): LanState;
  /** For tests: looks at once whether the addresses of this computer have changed. */
  updateLan?(): Promise<void>;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** What a server serves, and what of it must be closed. */
export interface OpenContent extends ServedContent {
  readonly relay?: Relay;
  /** Set once other devices are served. */
  lan?: LanServer;
  close(): Promise<void>;
}

/**
 * What the server serves, from its options.
 * @throws Error in plain words where another program has the STUN port
 */
export async function openContent(options: Omit<ServerOptions, 'port'>): Promise<OpenContent> {
  const mayRelayTo = (ip: string, via: string) =>
    content.lan !== undefined && !content.lan.isOwn(ip) && content.lan.isNeighbour(ip, via);
  const relay = options.stunPort === undefined ? undefined : await openRelay(options.stunPort, options, mayRelayTo);
  const signaling = new Signaling(
    {
      ice: (room, request) => iceServersFor(relay, room, request, content.lan?.state.chosen[0]?.address),
      server: () => {
        const { origins = [], steps } = content.lan?.state ?? {};
        return { origins, ...(steps === undefined ? {} : { steps }) };
      },
    },
    options.roomLimits,
  );
  const content: OpenContent = {
    ...(options.appFolder === undefined ? {} : { appFolder: options.appFolder }),
    ...(options.modelsFolder === undefined ? {} : { modelsFolder: options.modelsFolder }),
    ...(relay === undefined ? {} : { relay }),
    listedOrigins: options.listedOrigins ?? [],
    isOwnName: (hostname) => content.lan?.isOwnName(hostname) === true,
    starter: new Starter(options.cacheFolder ?? cacheFolder()),
    signaling,
    close: async () => {
      signaling.close();
      await content.lan?.close();
      await relay?.close();
    },
  };
  return content;
}

async function openRelay(
  port: number,
  options: Omit<ServerOptions, 'port'>,
  mayRelayTo: (ip: string, via: string) => boolean,
): Promise<Relay> {
  const relay = new Relay({
    port,
    relays: options.relayOnLoopback === true || options.lan !== undefined,
    mayRelayTo,
    ...(options.relayLimits === undefined ? {} : { limits: options.relayLimits }),
  });
  try {
    await relay.listen([LOOPBACK]);
    return relay;
  } catch (error) {
    if (!options.stunPortMayMove || port === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') {
      throw stunError(error, port);
    }
    return openRelay(0, options, mayRelayTo);
  }
}

/** In words, and without the code by which the app's own port would be moved. */
function stunError(error: unknown, port: number | undefined): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'EADDRINUSE') return new Error(`STUN cannot be served: ${message}`);
  return new Error(`UDP port ${port} is taken by another program. Choose another: npm start -- --stun-port N (or off)`);
}

/** Serves other devices of the local network with the same content; what only that needs is loaded here. */
async function openLan(content: OpenContent, request: LanRequest, port: number): Promise<LanServer> {
  const [{ LanServer }, { CertificateStore }, { thisComputer }] = await Promise.all([
    import('./lan/lan-server.ts'),
    import('./lan/certificates.ts'),
    import('./lan/this-computer.ts'),
  ]);
  const folder = path.join(request.configFolder ?? configFolder(), 'lan');
  const wanted = request.port ?? port;
  return LanServer.start({
    ...(request.computer ?? (await thisComputer())),
    port: wanted,
    stepsPort: wanted === 0 ? 0 : wanted + 1,
    certificates: request.certificate ?? new CertificateStore(folder),
    listener: listenerOf(content),
    upgrade: upgraderOf(content),
    onAddresses: async (addresses) => {
      const { relay } = content;
      await relay?.listen([...new Set([LOOPBACK, ...addresses])]).catch((error: unknown) => {
        throw stunError(error, relay.port);
      });
    },
    ...(request.wantedInterface === undefined ? {} : { wantedInterface: request.wantedInterface }),
    ...(request.bindAddress === undefined ? {} : { bindAddress: request.bindAddress }),
    ...(request.mdnsAnswerMs === undefined ? {} : { mdnsAnswerMs: request.mdnsAnswerMs }),
  });
}

/**
 * Serves the app, a folder of models and signaling on the loopback interface, and with `lan` to the local network.
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
    if (options.lan) content.lan = await openLan(content, options.lan, port);
    const { lan } = content;
    return {
      origin: `http://localhost:${port}`,
      port,
      ...(content.relay?.port === undefined ? {} : { stunPort: content.relay.port }),
      starter: content.starter,
      ...(lan === undefined ? {} : { lan: () => lan.state, updateLan: () => lan.update() }),
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

function upgraderOf(content: ServedContent) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!upgrade(content, request, socket, head)) socket.destroy();
  };
}

function listen(content: ServedContent, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(listenerOf(content));
    server.on('upgrade', upgraderOf(content));
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
