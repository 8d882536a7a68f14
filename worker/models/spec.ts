import { ModelError } from '../errors.ts';
import type { Checkpoint, FormatName, Metadata, TensorInfo } from '../weights/types.ts';

/** A model as the engine sees it, whatever file it came from. Plain data; blocks are chosen by it. */
export interface ModelSpec {
  readonly name: string;
  readonly architecture: string;
  readonly hiddenSize: number;
  readonly vocabulary: number;
  /** Longest context that it was trained for. */
  readonly contextTokens: number;
  readonly normEps: number;
  readonly rope: RopeSpec;
  readonly blocks: readonly BlockSpec[];
  /** The head multiplies by the embedding's own weights. */
  readonly tiedHead: boolean;
}

/** Rotary position embedding (Su et al., arXiv 2104.09864). */
export interface RopeSpec {
  readonly theta: number;
  /** Leading dimensions of a head that are rotated. */
  readonly dims: number;
  /** Which two rows turn together: 2i and 2i + 1 ('adjacent'), or i and i + dims/2 ('halves'). */
  readonly pairing: 'adjacent' | 'halves';
  /** Positions are divided by this (linear scaling); 1: not scaled. */
  readonly linearFactor: number;
  /** The tensor that divides each frequency (Llama 3.1 and later), where the checkpoint has it. */
  readonly factorsTensor: string | undefined;
}

export interface BlockSpec {
  readonly attention: AttentionSpec;
  readonly mlp: MlpSpec;
}

/** Attention of a block. Other kinds (MLA) join as members of this union. */
export type AttentionSpec = {
  readonly kind: 'grouped-query';
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** RMS norm of each head of q and k before the rotation (Qwen3). */
  readonly qkNorm: boolean;
  /** Positions that a row sees, itself included; undefined: all before it. */
  readonly window: number | undefined;
};

/** Feed-forward of a block. Other kinds (mixture of experts) join as members of this union. */
export type MlpSpec = { readonly kind: 'gated'; readonly size: number; readonly activation: 'silu' };

interface Family {
  readonly pairing: RopeSpec['pairing'];
  readonly qkNorm: boolean;
  /** Its files may have `rope_freqs.weight`. */
  readonly ropeFactors: boolean;
}

/** By `general.architecture`. Mistral and SmolLM2 are stored as `llama`; Qwen2.5 as `qwen2`. */
const FAMILIES: Readonly<Record<string, Family>> = {
  llama: { pairing: 'adjacent', qkNorm: false, ropeFactors: true },
  qwen2: { pairing: 'halves', qkNorm: false, ropeFactors: false },
  qwen3: { pairing: 'halves', qkNorm: true, ropeFactors: false },
};

/**
 * Reads the spec from GGUF keys, with llama.cpp's meaning of each.
 * @throws ModelError, by name, for what is not supported: an architecture, a key's value, a tensor that is missing, has
 * another shape, or that nothing here would compute with
 */
export function readModelSpec(checkpoint: Checkpoint): ModelSpec {
  const { metadata, tensors } = checkpoint;
  const architecture = text(metadata, 'general.architecture') ?? '';
  const family = Object.hasOwn(FAMILIES, architecture) ? FAMILIES[architecture] : undefined;
  if (family === undefined) {
    throw new ModelError(
      `This model's architecture, ${architecture === '' ? 'which it does not name' : `“${architecture}”`}, is not supported. ` +
        'Supported are Llama 2 and 3, SmolLM2, Mistral (llama), Qwen2 and Qwen2.5 (qwen2), Qwen3 (qwen3).',
    );
  }
  const key = (name: string) => `${architecture}.${name}`;
  if ((number(metadata, key('expert_count')) ?? 0) > 0) {
    throw new ModelError('This model is a mixture of experts, which is not supported yet. Choose a dense model.');
  }
  const layers = count(metadata, key('block_count'), 1024);
  const hiddenSize = count(metadata, key('embedding_length'), 1 << 17);
  const heads = count(metadata, key('attention.head_count'), 1024);
  const kvHeads = optionalCount(metadata, key('attention.head_count_kv'), 1024) ?? heads;
  const headSize = optionalCount(metadata, key('attention.key_length'), 1024) ?? hiddenSize / heads;
  const valueSize = optionalCount(metadata, key('attention.value_length'), 1024) ?? headSize;
  const mlpSize = count(metadata, key('feed_forward_length'), 1 << 20);
  if (!Number.isInteger(headSize) || headSize % 4 !== 0 || headSize > 256 || valueSize !== headSize) {
    throw new ModelError(
      `Heads of ${headSize} (values ${valueSize}) dimensions are not supported: multiples of 4 up to 256 are.`,
    );
  }
  if (heads % kvHeads !== 0) throw new ModelError(`${heads} heads cannot share ${kvHeads} key and value heads evenly.`);
  const dims = optionalCount(metadata, key('rope.dimension_count'), headSize) ?? headSize;
  if (dims % 2 !== 0) throw new ModelError(`A rotation of ${dims} dimensions is not supported: it must be even.`);
  const embedding = tensor(tensors, 'token_embd.weight', hiddenSize, undefined);
  const tokens = vocabularySize(metadata);
  if (tokens !== undefined && tokens !== embedding.rows) {
    throw new ModelError(
      `The vocabulary has ${tokens} tokens and token_embd.weight ${embedding.rows} rows: this file does not belong together. Choose another.`,
    );
  }
  const normEps = number(metadata, key('attention.layer_norm_rms_epsilon'));
  if (normEps === undefined || !(normEps >= 0 && normEps < 1)) {
    throw new ModelError(`The model's header lacks ${key('attention.layer_norm_rms_epsilon')}, or it makes no sense.`);
  }
  const attention: AttentionSpec = {
    kind: 'grouped-query',
    heads,
    kvHeads,
    headSize,
    qkNorm: family.qkNorm,
    window: undefined, // llama.cpp reads no sliding window for these architectures
  };
  const block: BlockSpec = { attention, mlp: { kind: 'gated', size: mlpSize, activation: 'silu' } };
  const spec: ModelSpec = {
    name: text(metadata, 'general.name') ?? architecture,
    architecture,
    hiddenSize,
    vocabulary: embedding.rows,
    contextTokens: optionalCount(metadata, key('context_length'), 1 << 26) ?? 2048,
    normEps,
    rope: readRope(metadata, tensors, key, dims, family),
    blocks: Array.from({ length: layers }, () => block),
    tiedHead: !tensors.has('output.weight'),
  };
  const used = new Set<string>();
  for (const { name, rows, cols, kind, optional } of stageTensors(spec, wholeModel(spec))) {
    used.add(name);
    if (optional && !tensors.has(name)) continue;
    const { format } = tensor(tensors, name, cols, rows);
    if (kind === 'vector' && !isVectorFormat(format)) {
      throw new ModelError(
        `The tensor ${name} is ${format}; norms, biases and factors are expected as f32, f16 or bf16.`,
      );
    }
  }
  // llama.cpp refuses them too: without it the model would be another
  const unused = [...tensors.keys()].find((name) => !used.has(name));
  if (unused !== undefined) {
    throw new ModelError(
      `This model has the tensor ${unused}, which is not supported in the architecture “${architecture}”.`,
    );
  }
  return spec;
}

function readRope(
  metadata: Metadata,
  tensors: ReadonlyMap<string, TensorInfo>,
  key: (name: string) => string,
  dims: number,
  family: Family,
): RopeSpec {
  const theta = number(metadata, key('rope.freq_base')) ?? 10_000;
  // llama.cpp: no type means linear; the factor counts only where it is not 0
  const scaling = text(metadata, key('rope.scaling.type')) ?? 'linear';
  const factor = number(metadata, key('rope.scaling.factor')) ?? number(metadata, key('rope.scale_linear')) ?? 0;
  if (scaling !== 'none' && scaling !== 'linear') {
    throw new ModelError(`Rotary scaling of type “${scaling}” is not supported: linear and Llama 3's own are.`);
  }
  if (!(theta > 1) || !(factor >= 0))
    throw new ModelError('The rotary base or factor in the model’s header makes no sense.');
  const factors = family.ropeFactors ? tensors.get('rope_freqs.weight') : undefined;
  if (factors !== undefined && factors.cols !== dims / 2) {
    throw new ModelError(`rope_freqs.weight has ${factors.cols} entries; ${dims / 2} are needed.`);
  }
  return {
    theta,
    dims,
    pairing: family.pairing,
    linearFactor: scaling === 'linear' && factor !== 0 ? factor : 1,
    factorsTensor: factors === undefined ? undefined : 'rope_freqs.weight',
  };
}

// ---------- stages ----------

/** A contiguous range of layers, with the embedding or the head or both. */
export interface StageRange {
  readonly firstLayer: number;
  /** One past the last. */
  readonly endLayer: number;
  readonly embedding: boolean;
  readonly head: boolean;
}

export function wholeModel(spec: ModelSpec): StageRange {
  return { firstLayer: 0, endLayer: spec.blocks.length, embedding: true, head: true };
}

export interface StageTensor {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  /** Matrices stay quantized; vectors (norms, biases, rotary factors) become f32. */
  readonly kind: 'matrix' | 'vector';
  readonly optional: boolean;
  /** The layer it is of; undefined for embedding and head. */
  readonly layer: number | undefined;
  /** With which others it lies in the same buffers where formats allow it. */
  readonly joined?: JoinedSpec;
}

/** Tensors that one product takes together: queries, keys and values; gate and up. */
export interface JoinedSpec {
  /** The same for all of them, and for their biases. */
  readonly name: string;
  /** One after another, or row i of one for row i of the other. */
  readonly joining: 'stacked' | 'paired';
  /** Rows that one workgroup may have to see together. */
  readonly together: number;
}

/** Every tensor of a stage, by its GGUF name, each once. */
export function stageTensors(spec: ModelSpec, range: StageRange): StageTensor[] {
  const list: StageTensor[] = [];
  const matrix = (name: string, rows: number, cols: number, layer?: number, joined?: JoinedSpec) =>
    list.push({ name, rows, cols, kind: 'matrix', optional: false, layer, ...(joined && { joined }) });
  const vector = (name: string, cols: number, layer?: number, optional = false, joined?: JoinedSpec) =>
    list.push({ name, rows: 1, cols, kind: 'vector', optional, layer, ...(joined && { joined }) });
  if (range.embedding || (range.head && spec.tiedHead)) matrix('token_embd.weight', spec.vocabulary, spec.hiddenSize);
  if (spec.rope.factorsTensor !== undefined) vector(spec.rope.factorsTensor, spec.rope.dims / 2);
  for (let layer = range.firstLayer; layer < range.endLayer; layer++) {
    const block = spec.blocks[layer];
    if (block === undefined) break;
    const { attention, mlp } = block;
    const name = (part: string) => `blk.${layer}.${part}`;
    const queryRows = attention.heads * attention.headSize;
    const keyRows = attention.kvHeads * attention.headSize;
    const queryKeyValue = { name: name('attn_qkv'), joining: 'stacked', together: attention.headSize } as const;
    const gateUp = { name: name('ffn_gate_up'), joining: 'paired', together: 1 } as const;
    vector(name('attn_norm.weight'), spec.hiddenSize, layer);
    for (const [part, rows] of [
      ['attn_q', queryRows],
      ['attn_k', keyRows],
      ['attn_v', keyRows],
    ] as const) {
      matrix(name(`${part}.weight`), rows, spec.hiddenSize, layer, queryKeyValue);
      vector(name(`${part}.bias`), rows, layer, true, queryKeyValue);
    }
    if (attention.qkNorm) {
      vector(name('attn_q_norm.weight'), attention.headSize, layer);
      vector(name('attn_k_norm.weight'), attention.headSize, layer);
    }
    matrix(name('attn_output.weight'), spec.hiddenSize, queryRows, layer);
    vector(name('attn_output.bias'), spec.hiddenSize, layer, true);
    vector(name('ffn_norm.weight'), spec.hiddenSize, layer);
    for (const part of ['ffn_gate', 'ffn_up']) {
      matrix(name(`${part}.weight`), mlp.size, spec.hiddenSize, layer, gateUp);
      vector(name(`${part}.bias`), mlp.size, layer, true, gateUp);
    }
    matrix(name('ffn_down.weight'), spec.hiddenSize, mlp.size, layer);
    vector(name('ffn_down.bias'), spec.hiddenSize, layer, true);
  }
  if (range.head) {
    vector('output_norm.weight', spec.hiddenSize);
    if (!spec.tiedHead) matrix('output.weight', spec.vocabulary, spec.hiddenSize);
  }
  return list;
}

/** Norms, biases and rotary factors come unquantized. */
export type VectorFormat = 'f32' | 'f16' | 'bf16';

function isVectorFormat(format: FormatName): format is VectorFormat {
  return format === 'f32' || format === 'f16' || format === 'bf16';
}

// ---------- reading keys ----------

/** Tokens of the vocabulary in the header; undefined where it has none. */
function vocabularySize(metadata: Metadata): number | undefined {
  const tokens = metadata.get('tokenizer.ggml.tokens');
  return typeof tokens === 'object' ? tokens.length : undefined;
}

function tensor(
  tensors: ReadonlyMap<string, TensorInfo>,
  name: string,
  cols: number,
  rows: number | undefined,
): TensorInfo {
  const info = tensors.get(name);
  if (info === undefined) throw new ModelError(`The model lacks the tensor ${name}.`);
  if (info.cols !== cols || (rows !== undefined && info.rows !== rows)) {
    throw new ModelError(`The tensor ${name} is ${info.rows} x ${info.cols}; ${rows ?? 'any'} x ${cols} is expected.`);
  }
  return info;
}

function text(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(key);
  return typeof value === 'string' ? value : undefined;
}

function number(metadata: Metadata, key: string): number | undefined {
  const value = metadata.get(key);
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : undefined;
}

function optionalCount(metadata: Metadata, key: string, most: number): number | undefined {
  const value = number(metadata, key) ?? sameForAllLayers(metadata, key);
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new ModelError(`${key} is ${value} in the model's header; a whole number from 1 to ${most} is expected.`);
  }
  return value;
}

function count(metadata: Metadata, key: string, most: number): number {
  const value = optionalCount(metadata, key, most);
  if (value === undefined) throw new ModelError(`The model's header lacks ${key}.`);
  return value;
}

/** Some converters write one figure a layer; layers that differ are not supported. */
function sameForAllLayers(metadata: Metadata, key: string): number | undefined {
  const value = metadata.get(key);
  if (!(value instanceof Int32Array || value instanceof Uint32Array)) return undefined;
  const first = value[0];
  if (value.some((entry: number) => entry !== first))
    throw new ModelError(`${key} differs from layer to layer, which is not supported.`);
  return first;
}
