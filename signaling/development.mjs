// @ts-check
import path from 'node:path';

/**
 * Vite's server with reloading, and the folder of models beside it.
 * @param {string} root
 * @param {typeof import('./server.ts')} server
 * @param {{ modelsFolder?: string, listedOrigins: string[] }} served
 * @param {number} port
 */
export async function serveForDevelopment(root, server, served, port) {
  const { createServer } = await import('vite');
  const content = server.servedContent(served);
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
  await vite.listen();
  const address = vite.httpServer?.address();
  const opened = typeof address === 'object' && address ? address.port : port;
  return { origin: `http://localhost:${opened}`, starter: content.starter };
}
