import { CATALOGUE } from '../weights/catalogue.ts';
import { quantizationOf } from '../weights/quantization.ts';
import type { FileIdentity } from '../weights/types.ts';

/** The model that the app's server can fetch; a copy of it is called the same wherever it lies. */
const STARTER = { file: 'SmolLM2-135M-Instruct.Q4_1.gguf', name: 'SmolLM2 135M Instruct' };
/** File names that say nothing of the model. */
const NAMELESS = /^(?:(?:ggml|gguf|model|weights|main|file|download|unnamed|unsloth)(?:[ ._-]|$))*$/i;
const SIZE = /^\d+(?:\.\d+)?[bmk]$/i;

/**
 * What a person calls a model: the catalogue's name, else its file's or repository's name with the quantization
 * (`SmolLM2 135M Instruct · Q4_1`). What its header says comes last, since many say how they were made.
 * @param quantization the label of the file's name, else the format of most of its bytes
 */
export function modelName(identity: FileIdentity, fileName: string, quantization: string, headerName: string): string {
  const known = wellKnownName(identity, fileName);
  if (known !== undefined) return known;
  const named = readable(fileName) ?? (identity.kind === 'hub' ? readable(identity.repository) : undefined);
  const name = named ?? headerName;
  return quantization === '' ? name : `${name} · ${quantization}`;
}

/** The name of a file in the server's folder, of which only the file's name is known. */
export function servedName(fileName: string): string {
  if (baseOf(fileName).toLowerCase() === STARTER.file.toLowerCase()) return STARTER.name;
  const name = readable(fileName) ?? baseOf(fileName);
  const quantization = quantizationOf(fileName);
  return quantization === undefined ? name : `${name} · ${quantization}`;
}

function wellKnownName(identity: FileIdentity, fileName: string): string | undefined {
  if (identity.kind === 'hub') {
    const repository = identity.repository.toLowerCase();
    const entry = CATALOGUE.find((each) => each.repository.toLowerCase() === repository);
    if (entry !== undefined) return entry.name;
  }
  return baseOf(fileName).toLowerCase() === STARTER.file.toLowerCase() ? STARTER.name : undefined;
}

/** `Qwen_Qwen3-0.6B-Q4_K_M.gguf` as `Qwen3 0.6B`; undefined where the name says nothing of the model. */
function readable(path: string): string | undefined {
  const base = baseOf(path)
    .replace(/\.gguf$/i, '')
    .replace(/-\d{5}-of-\d{5}$/, '');
  const label = quantizationOf(base);
  const bare = label === undefined ? base : base.replace(labelAtEnd(label), '');
  // quantizers put the owner before the name: Qwen_Qwen3, google_gemma
  const words = bare
    .replace(/[-_.]gguf$/i, '')
    .replace(/^([a-z]+)_(?=\1)/i, '')
    .split(/[\s_-]+/)
    .filter((word) => word !== '');
  const text = words.join(' ');
  if (NAMELESS.test(text) || !/[a-z]/i.test(text)) return undefined;
  const isSmall = text === text.toLowerCase();
  return words.map((word, i) => (isSmall || i === 0 ? capital(word) : word)).join(' ');
}

/** `2b` as `2B`; a word of small letters with a large one. */
function capital(word: string): string {
  if (SIZE.test(word)) return word.toUpperCase();
  return /^[a-z]+[\d.]*$/.test(word) ? word.charAt(0).toUpperCase() + word.slice(1) : word;
}

function labelAtEnd(label: string): RegExp {
  const written = label.replace(/^F(\d)/, 'FP?$1').replaceAll('.', '\\.');
  return new RegExp(`[-_. ]?${written}(?=[-_.]|$).*$`, 'i');
}

function baseOf(path: string): string {
  return path.split('/').at(-1) ?? path;
}
