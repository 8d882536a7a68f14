// @ts-check
import path from 'node:path';

/**
 * Vite's server with reloading, and the folder of models and signaling beside it.
 * @param {string} root
 * @param {typeof import('./server.ts')} server
 * @param {Omit<import('./server.ts').ServerOptions, 'port'>} served
 * @param {number} port
 */
export async function serveForDevelopment(root, server, served, port) {
  const { createServer } = await import('vite');
  const content = await server.openContent(served);
  const vite = await createServer({
    configFile: path.join(root, 'vite.config.ts'),
    server: { host: 'localhost', port },
    plugins: [
      {
        name: 'shoal-models',
        configureServer(development) {
          development.middlewares.use((request, response, next) => {
            server.answer(content, request, response).then((answered) => {
              if (!answered) next();
            }, next);
          });
        },
      },
    ],
  });
  // Vite's own WebSocket has another path
  vite.httpServer?.on('upgrade', (request, socket, head) => {
    server.upgrade(content, /** @type {import('node:http').IncomingMessage} */ (request), socket, head);
  });
  await vite.listen();
  const address = vite.httpServer?.address();
  const opened = typeof address === 'object' && address ? address.port : port;
  return { origin: `http://localhost:${opened}`, starter: content.starter };
}
