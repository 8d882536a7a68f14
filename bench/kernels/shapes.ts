import type { ModelSpec } from '../../worker/models/spec.ts';
import { stageTensors, wholeModel } from '../../worker/models/spec.ts';
import { fileBytes, formatByName } from '../../worker/weights/formats/index.ts';
import type { FormatName, TensorInfo } from '../../worker/weights/types.ts';

/** The dimensions of a model, whatever its weights are. */
export interface ModelShape {
  readonly name: string;
  readonly architecture: 'llama' | 'qwen3';
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  /** Has a tensor that divides each rotary frequency. */
  readonly ropeFactors: boolean;
}

/** A format for every matrix, or llama.cpp's mixture of two. */
export type Encoding = FormatName | 'q4_k_m';

/** A model of which nothing but its weights' values is missing. */
export interface PaperModel {
  readonly name: string;
  readonly spec: ModelSpec;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

export const SMOLLM2: ModelShape = {
  name: 'SmolLM2-135M',
  architecture: 'llama',
  layers: 30,
  hiddenSize: 576,
  heads: 9,
  kvHeads: 3,
  headSize: 64,
  feedForward: 1536,
  vocabulary: 49_152,
  normEps: 1e-5,
  ropeTheta: 100_000,
  ropeFactors: false,
};

export const LLAMA_1B: ModelShape = {
  name: 'Llama-3.2-1B',
  architecture: 'llama',
  layers: 16,
  hiddenSize: 2048,
  heads: 32,
  kvHeads: 8,
  headSize: 64,
  feedForward: 8192,
  vocabulary: 128_256,
  normEps: 1e-5,
  ropeTheta: 500_000,
  ropeFactors: true,
};

export const QWEN3_4B: ModelShape = {
  name: 'Qwen3-4B',
  architecture: 'qwen3',
  layers: 36,
  hiddenSize: 2560,
  heads: 32,
  kvHeads: 8,
  headSize: 128,
  feedForward: 9728,
  vocabulary: 151_936,
  normEps: 1e-6,
  ropeTheta: 1e6,
  ropeFactors: false,
};

const CONTEXT_TOKENS = 8192;
/** As files have their norms in the formats that a matrix of one row may have here. */
const VECTOR_FORMAT: FormatName = 'f32';

/** The model with its matrices in an encoding, or each in the format that its name is given. */
export function paperModel(shape: ModelShape, encoding: Encoding | ((name: string) => FormatName)): PaperModel {
  const spec = specOf(shape);
  const choose = typeof encoding === 'function' ? encoding : (name: string) => formatOf(name, encoding, shape);
  const tensors = new Map<string, TensorInfo>();
  let offset = 0;
  for (const { name, kind, rows, cols, optional } of stageTensors(spec, wholeModel(spec))) {
    if (optional) continue; // biases: these models have none
    const format = kind === 'vector' ? VECTOR_FORMAT : choose(name);
    const bytes = fileBytes(formatByName(format), rows, cols);
    tensors.set(name, { name, cols, rows, shape: [cols, rows], format, offset, bytes });
    offset += bytes;
  }
  const suffix = typeof encoding === 'function' ? '' : ` ${encoding}`;
  return { name: `${shape.name}${suffix}`, spec, tensors };
}

/** As files of 4-bit types have it: the embedding in 8 bits. */
export function withLargerEmbedding(shape: ModelShape, format: FormatName): PaperModel {
  const model = paperModel(shape, (name) => (name === 'token_embd.weight' ? 'q8_0' : format));
  return { ...model, name: `${shape.name} ${format}` };
}

/** Q4_K_M: Q6_K for the tied embedding, and for values and the last product of the layers in which errors weigh most. */
function formatOf(name: string, encoding: Encoding, { layers }: ModelShape): FormatName {
  if (encoding !== 'q4_k_m') return encoding;
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  if (layer === undefined) return 'q6_k';
  return (part === 'attn_v' || part === 'ffn_down') && weighsMore(Number(layer), layers) ? 'q6_k' : 'q4_k';
}

/** llama.cpp's `use_more_bits`. */
function weighsMore(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

function specOf(shape: ModelShape): ModelSpec {
  const { architecture, heads, kvHeads, headSize } = shape;
  const attention = {
    kind: 'grouped-query',
    heads,
    kvHeads,
    headSize,
    qkNorm: architecture === 'qwen3',
    window: undefined,
  } as const;
  const mlp = { kind: 'gated', size: shape.feedForward, activation: 'silu' } as const;
  return {
    name: shape.name,
    architecture,
    hiddenSize: shape.hiddenSize,
    vocabulary: shape.vocabulary,
    contextTokens: CONTEXT_TOKENS,
    normEps: Math.fround(shape.normEps), // as a file has it
    rope: {
      theta: shape.ropeTheta,
      dims: headSize,
      pairing: architecture === 'qwen3' ? 'halves' : 'adjacent',
      linearFactor: 1,
      factorsTensor: shape.ropeFactors ? 'rope_freqs.weight' : undefined,
    },
    blocks: Array.from({ length: shape.layers }, () => ({ attention, mlp })),
    tiedHead: true,
  };
}
