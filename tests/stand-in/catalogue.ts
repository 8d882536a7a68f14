import type { CatalogueEntry, Fit } from '../../worker/api.ts';

const MIB = 1024 * 1024;

interface Shape {
  readonly id: string;
  readonly name: string;
  readonly repository: string;
  readonly quantization: string;
  readonly layers: number;
  readonly parameters: number;
  readonly bytes: number;
  /** Keys and values of one token, bytes. */
  readonly kvBytesAToken: number;
  readonly about: string;
}

export const SHAPES: readonly Shape[] = [
  shape(
    'smollm2-135m',
    'SmolLM2 135M',
    'bartowski/SmolLM2-135M-Instruct-GGUF',
    'Q8_0',
    30,
    0.135e9,
    145e6,
    23040,
    'Tiny: to try, not to rely on.',
  ),
  shape(
    'smollm2-360m',
    'SmolLM2 360M',
    'HuggingFaceTB/SmolLM2-360M-Instruct-GGUF',
    'Q8_0',
    32,
    0.36e9,
    386e6,
    40960,
    'Small: good for trying things, weak at facts.',
  ),
  shape(
    'llama-3.2-1b',
    'Llama 3.2 1B',
    'bartowski/Llama-3.2-1B-Instruct-GGUF',
    'Q4_K_M',
    16,
    1.24e9,
    808e6,
    32768,
    'Quick, good at short texts.',
  ),
  shape(
    'qwen3-1.7b',
    'Qwen3 1.7B',
    'Qwen/Qwen3-1.7B-GGUF',
    'Q8_0',
    28,
    1.72e9,
    1.83e9,
    114688,
    'Thinks before it answers.',
  ),
  shape(
    'qwen3-4b',
    'Qwen3 4B',
    'Qwen/Qwen3-4B-GGUF',
    'Q4_K_M',
    36,
    4.02e9,
    2.5e9,
    147456,
    'Thinks before it answers; knows more.',
  ),
  shape(
    'llama-3.2-3b',
    'Llama 3.2 3B',
    'bartowski/Llama-3.2-3B-Instruct-GGUF',
    'Q4_K_M',
    28,
    3.21e9,
    2.02e9,
    114688,
    'Good at texts and summaries.',
  ),
  shape('qwen3-8b', 'Qwen3 8B', 'Qwen/Qwen3-8B-GGUF', 'Q4_K_M', 36, 8.19e9, 5.03e9, 147456, 'For larger machines.'),
];

function shape(
  id: string,
  name: string,
  repository: string,
  quantization: string,
  layers: number,
  parameters: number,
  bytes: number,
  kvBytesAToken: number,
  about: string,
): Shape {
  return { id, name, repository, quantization, layers, parameters, bytes, kvBytesAToken, about };
}

export function fitOf({ bytes, kvBytesAToken, layers }: Shape, contextTokens: number, budgetBytes: number): Fit {
  const scratchBytes = 180 * MIB;
  const at = (tokens: number) => bytes + scratchBytes + kvBytesAToken * tokens;
  const shorter = [8192, 4096].find((tokens) => tokens < contextTokens && at(tokens) <= budgetBytes);
  const verdict = at(contextTokens) <= budgetBytes ? 'fits' : shorter ? 'shorter-context' : 'too-large';
  const counted = verdict === 'shorter-context' ? (shorter ?? contextTokens) : contextTokens;
  const kvBytes = kvBytesAToken * counted;
  const room = Math.max(0, budgetBytes - scratchBytes);
  const layersThatFit = Math.min(layers, Math.floor((room / (bytes + kvBytes)) * layers));
  return {
    verdict,
    weightsBytes: bytes,
    kvBytes,
    scratchBytes,
    totalBytes: at(counted),
    budgetBytes,
    contextTokens: counted,
    layersThatFit,
  };
}

export function entryOf(shape: Shape, contextTokens: number, budgetBytes: number): CatalogueEntry {
  const { bytes, kvBytesAToken: _kv, ...rest } = shape;
  return { ...rest, downloadBytes: bytes, contextTokens, fit: fitOf(shape, contextTokens, budgetBytes) };
}
