// @ts-check
// `npm start`: installs what is missing, builds what changed, serves, prints the address. Until it has installed, it
// uses Node's own modules only.
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureDependencies, nodeTooOld } from './install.mjs';
import { DEFAULT_PORT, parseOptions, USAGE } from './options.mjs';

const PORTS_TRIED = 20;
const PROGRESS_MS = 2_000;

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

try {
  const tooOld = nodeTooOld(process.versions.node);
  if (tooOld) throw new Error(tooOld);
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await start(options);
} catch (error) {
  // a library's timers would keep the process alive once the server was opened
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`, () => process.exit(1));
}

/** @param {import('./options.mjs').StartOptions} options */
async function start(options) {
  await ensureDependencies(root, { dev: false });
  const { ensureBuilt } = await import('./build.mjs');
  const built = await ensureBuilt(root);
  const served = {
    ...(options.models === undefined ? {} : { modelsFolder: options.models }),
    listedOrigins: options.origins,
    roomLimits: options.limits,
    ...(options.lan ? { lan: lanRequest(options) } : {}),
    ...(options.stunPort === 'off' ? {} : { stunPort: options.stunPort, stunPortMayMove: !options.stunPortWasGiven }),
  };
  /** @type {typeof import('./server.ts')} */
  const module = await import(pathToFileURL(built.server).href);
  if (options.dev) {
    const { serveForDevelopment } = await import('./development.mjs');
    const { origin, starter } = await serveForDevelopment(root, module, served, options.port);
    announce(origin, options, starter);
    return;
  }
  const server = await listen(options, (port) => module.startServer({ ...served, appFolder: built.app, port }));
  announce(server.origin, options, server.starter);
  const lan = server.lan?.();
  if (lan) {
    const terminal = { columns: process.stdout.columns ?? 80, platform: process.platform };
    for (const line of module.lanLines(lan, terminal, server.stunPort)) console.log(line);
  }
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => void server.close().then(() => process.exit(0)));
  }
}

/**
 * @param {import('./options.mjs').StartOptions} options
 * @returns {import('./server.ts').LanRequest}
 */
function lanRequest(options) {
  return {
    ...(options.interface === undefined ? {} : { wantedInterface: options.interface }),
    ...(options.certificate === undefined ? {} : { certificate: options.certificate }),
  };
}

/**
 * Takes the next free port where none was asked for.
 * @template {{ port: number }} T
 * @param {import('./options.mjs').StartOptions} options
 * @param {(port: number) => Promise<T>} open
 * @returns {Promise<T>}
 */
async function listen(options, open) {
  for (let port = options.port; ; port++) {
    try {
      const server = await open(port);
      if (port !== options.port) {
        console.log(
          `Port ${DEFAULT_PORT} is taken (does Shoal run already?), so this is port ${server.port}. A browser keeps models by address: what it kept for port ${DEFAULT_PORT} is not seen here.`,
        );
      }
      return server;
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      if (code === 'EACCES')
        throw new Error(`Port ${port} needs more rights than this user has; choose one above 1023.`);
      if (code !== 'EADDRINUSE') throw error;
      if (options.portWasGiven) {
        throw new Error(
          `Port ${port} is taken by another program. Stop it, or choose another: npm start -- --port ${port + 1}`,
        );
      }
      if (port >= options.port + PORTS_TRIED) throw new Error(`Ports ${options.port} to ${port} are all taken.`);
    }
  }
}

/**
 * @param {string} origin
 * @param {import('./options.mjs').StartOptions} options
 * @param {import('./starter.ts').Starter} starter
 */
function announce(origin, options, starter) {
  if (options.models) console.log(`Models from ${options.models}`);
  console.log(`Shoal is at ${origin}/${options.lan ? ' on this computer' : ''}`);
  if (options.starter) void fetchStarter(starter);
}

/** @param {import('./starter.ts').Starter} starter */
async function fetchStarter(starter) {
  const report = setInterval(async () => {
    const { state, message, doneBytes } = await starter.state();
    if (state === 'fetching') console.log(`Starter model: ${message}, ${(doneBytes / 1e6).toFixed(0)} MB`);
  }, PROGRESS_MS);
  const { state, message } = await starter.fetch();
  clearInterval(report);
  if (state === 'ready') console.log(`Starter model is there: ${message}`);
  else console.error(`Starter model could not be fetched: ${message}`);
}
