import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ensureBuilt } from '../../signaling/build.mjs';
import { type RunningServer, type ServerOptions, startServer } from '../../signaling/server.ts';
import { repositoryFolder } from './cache.mjs';

/**
 * Builds the app where its sources changed and serves it on a free port, as `npm start` does; its starter folder is
 * empty and goes with the server.
 */
export async function startApp(
  options: Partial<Omit<ServerOptions, 'appFolder' | 'cacheFolder'>> = {},
): Promise<RunningServer> {
  const { app } = await ensureBuilt(repositoryFolder);
  const cacheFolder = await mkdtemp(path.join(os.tmpdir(), 'shoal-app-'));
  const server = await startServer({ port: 0, ...options, appFolder: app, cacheFolder });
  return {
    ...server,
    close: async () => {
      await server.close();
      await rm(cacheFolder, { recursive: true, force: true });
    },
  };
}
