// @ts-check
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';

const TYPES = /** @type {Record<string, string>} */ ({
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
});
const CHUNK_BYTES = 1024 * 1024;

/**
 * Serves a folder of built pages, and `model.gguf` by byte ranges out of memory that holds no model.
 * @param {{ folder: string, model: { size: number, read(start: number, end: number): Uint8Array } }} options
 * @returns {Promise<{ address: string, sentBytes(): number, close(): Promise<void> }>}
 */
export async function serveLoadBench({ folder, model }) {
  let sent = 0;
  const server = createServer(async (request, response) => {
    const name = new URL(request.url ?? '/', 'http://localhost').pathname.slice(1);
    if (name !== 'model.gguf') {
      const file = path.join(folder, path.normalize(`/${name}`));
      if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
      createReadStream(file).pipe(response);
      return;
    }
    const range = request.headers.range?.match(/^bytes=(\d+)-(\d+)$/);
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(model.size, Number(range?.[2] ?? model.size - 1) + 1);
    response.writeHead(range ? 206 : 200, {
      'accept-ranges': 'bytes',
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${model.size}`,
      etag: '"synthetic"',
      // Chromium reads ahead of the page, up to 64 MiB into the renderer, unless an answer says this
      'cache-control': 'no-store',
    });
    for (let at = start; at < end && !response.destroyed; at += CHUNK_BYTES) {
      const chunk = model.read(at, Math.min(end, at + CHUNK_BYTES));
      sent += chunk.length;
      if (!response.write(chunk)) {
        await new Promise((resolve) => {
          const go = () => {
            response.off('drain', go).off('close', go);
            resolve(undefined);
          };
          response.on('drain', go).on('close', go);
        });
      }
    }
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    address: `http://127.0.0.1:${address.port}/`,
    sentBytes: () => sent,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
