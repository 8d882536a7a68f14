import { ModelError } from '../errors.ts';
import { type HubFile, type HubListing, listHubFiles } from './hub.ts';
import { isUsableQuantization } from './quantization.ts';
import type { Transport } from './transport.ts';

/** A model that the page offers before anything was asked of a hub: figures are about right until resolved. */
export interface CatalogueModel {
  readonly id: string;
  readonly name: string;
  /** One plain sentence: what it is good for. */
  readonly about: string;
  readonly architecture: 'llama' | 'qwen2' | 'qwen3';
  readonly parameters: number;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly feedForwardSize: number;
  readonly vocabulary: number;
  readonly trainedContextTokens: number;
  readonly repository: string;
  /** Labels in the order of preference; the first is what `downloadBytes` is about. */
  readonly quantizations: readonly string[];
  readonly downloadBytes: number;
}

/**
 * Rows of 576, 896 or 960 weights are no multiple of 256: under Q4_K_M llama.cpp then writes Q5_0, which Shoal does
 * not compute with, so those models come as Q8_0.
 */
const BY_256 = ['Q4_K_M', 'Q4_0', 'Q8_0'] as const;
const BY_32 = ['Q8_0', 'Q4_0', 'F16'] as const;

/** Ungated repositories with GGUF files, smallest first. */
export const CATALOGUE: readonly CatalogueModel[] = [
  {
    id: 'smollm2-135m',
    name: 'SmolLM2 135M Instruct',
    about: 'Tiny: to try whether everything works, not to rely on.',
    architecture: 'llama',
    parameters: 134_515_008,
    layers: 30,
    hiddenSize: 576,
    heads: 9,
    kvHeads: 3,
    headSize: 64,
    feedForwardSize: 1536,
    vocabulary: 49_152,
    trainedContextTokens: 8192,
    repository: 'bartowski/SmolLM2-135M-Instruct-GGUF',
    quantizations: BY_32,
    downloadBytes: 145_000_000,
  },
  {
    id: 'smollm2-360m',
    name: 'SmolLM2 360M Instruct',
    about: 'Very small: short rewrites and simple questions on old devices.',
    architecture: 'llama',
    parameters: 361_821_120,
    layers: 32,
    hiddenSize: 960,
    heads: 15,
    kvHeads: 5,
    headSize: 64,
    feedForwardSize: 2560,
    vocabulary: 49_152,
    trainedContextTokens: 8192,
    repository: 'bartowski/SmolLM2-360M-Instruct-GGUF',
    quantizations: BY_32,
    downloadBytes: 386_000_000,
  },
  {
    id: 'qwen3-0.6b',
    name: 'Qwen3 0.6B',
    about: 'Small, and thinks before it answers; many languages.',
    architecture: 'qwen3',
    parameters: 751_632_384,
    layers: 28,
    hiddenSize: 1024,
    heads: 16,
    kvHeads: 8,
    headSize: 128,
    feedForwardSize: 3072,
    vocabulary: 151_936,
    trainedContextTokens: 40_960,
    repository: 'bartowski/Qwen_Qwen3-0.6B-GGUF',
    quantizations: BY_256,
    downloadBytes: 484_000_000,
  },
  {
    id: 'qwen2.5-0.5b',
    name: 'Qwen2.5 0.5B Instruct',
    about: 'Small and direct; many languages.',
    architecture: 'qwen2',
    parameters: 494_032_768,
    layers: 24,
    hiddenSize: 896,
    heads: 14,
    kvHeads: 2,
    headSize: 64,
    feedForwardSize: 4864,
    vocabulary: 151_936,
    trainedContextTokens: 32_768,
    repository: 'bartowski/Qwen2.5-0.5B-Instruct-GGUF',
    quantizations: BY_32,
    downloadBytes: 531_000_000,
  },
  {
    id: 'llama-3.2-1b',
    name: 'Llama 3.2 1B Instruct',
    about: 'Good at summaries and rewriting for its size; long context.',
    architecture: 'llama',
    parameters: 1_235_814_400,
    layers: 16,
    hiddenSize: 2048,
    heads: 32,
    kvHeads: 8,
    headSize: 64,
    feedForwardSize: 8192,
    vocabulary: 128_256,
    trainedContextTokens: 131_072,
    repository: 'bartowski/Llama-3.2-1B-Instruct-GGUF',
    quantizations: BY_256,
    downloadBytes: 807_694_464,
  },
  {
    id: 'qwen2.5-1.5b',
    name: 'Qwen2.5 1.5B Instruct',
    about: 'A good first model for phones and laptops; many languages.',
    architecture: 'qwen2',
    parameters: 1_543_714_304,
    layers: 28,
    hiddenSize: 1536,
    heads: 12,
    kvHeads: 2,
    headSize: 128,
    feedForwardSize: 8960,
    vocabulary: 151_936,
    trainedContextTokens: 32_768,
    repository: 'bartowski/Qwen2.5-1.5B-Instruct-GGUF',
    quantizations: BY_256,
    downloadBytes: 986_000_000,
  },
  {
    id: 'qwen2.5-coder-1.5b',
    name: 'Qwen2.5 Coder 1.5B Instruct',
    about: 'Writes and explains code.',
    architecture: 'qwen2',
    parameters: 1_543_714_304,
    layers: 28,
    hiddenSize: 1536,
    heads: 12,
    kvHeads: 2,
    headSize: 128,
    feedForwardSize: 8960,
    vocabulary: 151_936,
    trainedContextTokens: 32_768,
    repository: 'bartowski/Qwen2.5-Coder-1.5B-Instruct-GGUF',
    quantizations: BY_256,
    downloadBytes: 986_000_000,
  },
  {
    id: 'smollm2-1.7b',
    name: 'SmolLM2 1.7B Instruct',
    about: 'English chat from fully open training data.',
    architecture: 'llama',
    parameters: 1_711_376_384,
    layers: 24,
    hiddenSize: 2048,
    heads: 32,
    kvHeads: 32,
    headSize: 64,
    feedForwardSize: 8192,
    vocabulary: 49_152,
    trainedContextTokens: 8192,
    repository: 'HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF',
    quantizations: BY_256,
    downloadBytes: 1_060_000_000,
  },
  {
    id: 'qwen3-1.7b',
    name: 'Qwen3 1.7B',
    about: 'Thinks before it answers; a balance of speed and sense.',
    architecture: 'qwen3',
    parameters: 2_031_739_904,
    layers: 28,
    hiddenSize: 2048,
    heads: 16,
    kvHeads: 8,
    headSize: 128,
    feedForwardSize: 6144,
    vocabulary: 151_936,
    trainedContextTokens: 40_960,
    repository: 'bartowski/Qwen_Qwen3-1.7B-GGUF',
    quantizations: BY_256,
    downloadBytes: 1_282_439_584,
  },
  {
    id: 'llama-3.2-3b',
    name: 'Llama 3.2 3B Instruct',
    about: 'Everyday chat and writing; long context.',
    architecture: 'llama',
    parameters: 3_212_749_888,
    layers: 28,
    hiddenSize: 3072,
    heads: 24,
    kvHeads: 8,
    headSize: 128,
    feedForwardSize: 8192,
    vocabulary: 128_256,
    trainedContextTokens: 131_072,
    repository: 'bartowski/Llama-3.2-3B-Instruct-GGUF',
    quantizations: BY_256,
    downloadBytes: 2_019_377_696,
  },
  {
    id: 'qwen3-4b-2507',
    name: 'Qwen3 4B Instruct 2507',
    about: 'The best of its size: reasoning, code, many languages, very long context.',
    architecture: 'qwen3',
    parameters: 4_022_468_096,
    layers: 36,
    hiddenSize: 2560,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    feedForwardSize: 9728,
    vocabulary: 151_936,
    trainedContextTokens: 262_144,
    repository: 'bartowski/Qwen_Qwen3-4B-Instruct-2507-GGUF',
    quantizations: BY_256,
    downloadBytes: 2_497_280_736,
  },
  {
    id: 'qwen3-8b',
    name: 'Qwen3 8B',
    about: 'For strong computers, or several devices together; thinks before it answers.',
    architecture: 'qwen3',
    parameters: 8_190_735_360,
    layers: 36,
    hiddenSize: 4096,
    heads: 32,
    kvHeads: 8,
    headSize: 128,
    feedForwardSize: 12_288,
    vocabulary: 151_936,
    trainedContextTokens: 40_960,
    repository: 'Qwen/Qwen3-8B-GGUF',
    quantizations: BY_256,
    downloadBytes: 5_030_000_000,
  },
];

export interface ResolvedModel {
  readonly listing: HubListing;
  readonly file: HubFile;
}

/**
 * Asks the hub for a catalogue model's exact file: commit, size and hash.
 *
 * Throws as `listHubFiles`, and ModelError where the repository no longer has a file that Shoal can load.
 */
export async function resolveCatalogueEntry(
  model: CatalogueModel,
  options: {
    readonly baseUrl?: string;
    readonly token?: string;
    readonly signal: AbortSignal;
    readonly transport?: Transport;
  },
): Promise<ResolvedModel> {
  const listing = await listHubFiles({ ...options, repository: model.repository });
  const usable = listing.files.filter((file) => file.unsupported === undefined);
  for (const label of model.quantizations) {
    const file = usable.find((each) => each.quantization === label);
    if (file) return { listing, file };
  }
  const others = usable.filter((file) => file.quantization !== undefined && isUsableQuantization(file.quantization));
  const has = others.map((file) => file.quantization).join(', ') || 'none that Shoal can load';
  throw new ModelError(
    `${model.repository} has no file of ${model.quantizations.join(' or ')} any more (it has: ${has}). Choose another model.`,
  );
}
