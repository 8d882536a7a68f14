import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { sendAppFile } from '../../signaling/app-files.ts';
import { ensureBuilt } from '../../signaling/build.mjs';
import { repositoryFolder } from './cache.mjs';

/** The built app on a server that knows files and nothing else, with more in the head of its page. */
export async function startStaticApp(head: () => string): Promise<{ origin: string; close(): Promise<void> }> {
  const { app } = await ensureBuilt(repositoryFolder);
  const page = await readFile(path.join(app, 'index.html'), 'utf8');
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://app');
    if (pathname === '/' || pathname === '/index.html') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(page.replace('</head>', `${head()}</head>`));
    } else if (!(await sendAppFile(request, response, app, pathname))) {
      response.writeHead(404, { 'Content-Type': 'text/html' });
      response.end('<h1>Not found</h1>');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
