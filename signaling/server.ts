import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cacheFolder } from './cache-folder.ts';
import { answer, type ServedContent } from './requests.ts';
import { Starter } from './starter.ts';

export { answer, type ServedContent } from './requests.ts';
export type { StarterState } from './starter.ts';

/** What `startServer` is asked for; `port` 0 takes any free one. */
export interface ServerOptions {
  readonly port: number;
  readonly appFolder?: string;
  readonly modelsFolder?: string;
  readonly listedOrigins?: readonly string[];
  /** Where the starter model is kept; the platform's cache folder by default. */
  readonly cacheFolder?: string;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://localhost:PORT` */
  readonly origin: string;
  readonly port: number;
  readonly starter: Starter;
  close(): Promise<void>;
}

/** What the server serves, from its options. */
export function servedContent(options: Omit<ServerOptions, 'port'>): ServedContent {
  return {
    ...(options.appFolder === undefined ? {} : { appFolder: options.appFolder }),
    ...(options.modelsFolder === undefined ? {} : { modelsFolder: options.modelsFolder }),
    listedOrigins: options.listedOrigins ?? [],
    starter: new Starter(options.cacheFolder ?? cacheFolder()),
  };
}

/**
 * Serves the app and a folder of models on the loopback interface alone.
 * @throws Error with code EADDRINUSE where another program has the port
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const content = servedContent(options);
  const listener: RequestListener = (request, response) => {
    answer(content, request, response).catch((error: unknown) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  };
  const first = await listen(listener, '127.0.0.1', options.port);
  const port = (first.address() as AddressInfo).port;
  const servers = [first];
  try {
    // browsers may try localhost as ::1 first, where another program could answer
    servers.push(await listen(listener, '::1', port));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      await close(first);
      throw error;
    }
    // no IPv6 on this machine
  }
  return {
    origin: `http://localhost:${port}`,
    port,
    starter: content.starter,
    close: async () => {
      await Promise.all(servers.map(close));
    },
  };
}

function listen(listener: RequestListener, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(listener);
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
