import { type WriterMetadata, type WriterTensor, writeGguf } from '../setup/gguf-writer.ts';
import type { Family, RopeScaling, Size } from './families.ts';
import { blockWeightsOf, ggmlTypeOf, quantize, type TypeName } from './quantize.ts';
import { Random } from './random.ts';
import { vocabularyOf } from './vocabulary.ts';

/** A type for every matrix, or llama.cpp's mixture of Q4_K with Q6_K where errors weigh most. */
export type Encoding = TypeName | 'Q4_K_M';

/** A checkpoint before its weights are encoded: what a mutation changes. */
export interface Draft {
  readonly family: Family;
  readonly size: Size;
  readonly metadata: WriterMetadata;
  readonly tensors: ReadonlyMap<string, DraftTensor>;
}
export interface DraftTensor {
  /** ggml order: columns first. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Mean square 0.0064: small enough that an eps of 1e-3 in the first norm shows. */
const EMBEDDING_DEVIATION = 0.08;
const CONTEXT_TOKENS = 512;
/**
 * Deviation of a matrix's products with a normalised input. Queries and keys give scores of a deviation of 2 to 3:
 * attention that looks at something, so that a wrong angle moves it.
 */
const GAINS = { query: 1.6, key: 1.6, value: 1, attentionOutput: 1, gate: 1.2, up: 1, down: 1, head: 2.5 } as const;

export function sizeFor(family: Family, encoding: Encoding): Size {
  const wide = encoding === 'Q4_K_M' || blockWeightsOf(encoding) === 256;
  return wide ? (family.wideSize ?? family.size) : family.size;
}

/** Draws a checkpoint's weights: the same for the same arguments. */
export function draftCheckpoint(family: Family, size: Size, seed = 1): Draft {
  const random = new Random(seed);
  const { hiddenSize, heads, kvHeads, headSize, feedForward } = size;
  const tensors = new Map<string, DraftTensor>();
  const matrix = (name: string, columns: number, rows: number, gain: number) => {
    const values = random.normals(columns * rows, gain / Math.sqrt(columns));
    tensors.set(name, { shape: [columns, rows], values });
  };
  const vector = (name: string, length: number, mean: number, deviation: number) => {
    tensors.set(name, { shape: [length], values: random.normals(length, deviation, mean) });
  };
  const norm = (name: string, length: number, mean = 1) => vector(name, length, mean, 0.2 * mean);

  const embedding = random.normals(hiddenSize * family.vocabularySize, EMBEDDING_DEVIATION);
  tensors.set('token_embd.weight', { shape: [hiddenSize, family.vocabularySize], values: embedding });
  if (!family.tied) matrix('output.weight', hiddenSize, family.vocabularySize, GAINS.head);
  // a tied head is the embedding, small: the norm before it makes up for that
  norm('output_norm.weight', hiddenSize, family.tied ? GAINS.head / (EMBEDDING_DEVIATION * Math.sqrt(hiddenSize)) : 1);
  if (family.ropeScaling) {
    const factors = ropeFactors(family.ropeScaling, family.ropeTheta, headSize);
    tensors.set('rope_freqs.weight', { shape: [factors.length], values: factors });
  }
  for (let layer = 0; layer < family.layers; layer++) {
    const named = (name: string) => `blk.${layer}.${name}`;
    norm(named('attn_norm.weight'), hiddenSize);
    matrix(named('attn_q.weight'), hiddenSize, heads * headSize, GAINS.query);
    matrix(named('attn_k.weight'), hiddenSize, kvHeads * headSize, GAINS.key);
    matrix(named('attn_v.weight'), hiddenSize, kvHeads * headSize, GAINS.value);
    if (family.biases) {
      vector(named('attn_q.bias'), heads * headSize, 0, 0.5);
      vector(named('attn_k.bias'), kvHeads * headSize, 0, 0.5);
      vector(named('attn_v.bias'), kvHeads * headSize, 0, 0.3);
    }
    if (family.queryKeyNorm) {
      norm(named('attn_q_norm.weight'), headSize, GAINS.query);
      norm(named('attn_k_norm.weight'), headSize, GAINS.key);
    }
    matrix(named('attn_output.weight'), heads * headSize, hiddenSize, GAINS.attentionOutput);
    norm(named('ffn_norm.weight'), hiddenSize);
    matrix(named('ffn_gate.weight'), hiddenSize, feedForward, GAINS.gate);
    matrix(named('ffn_up.weight'), hiddenSize, feedForward, GAINS.up);
    matrix(named('ffn_down.weight'), feedForward, hiddenSize, GAINS.down);
  }
  return { family, size, metadata: metadataOf(family, size), tensors };
}

/** The GGUF file: matrices in the encoding, norms, biases and rope factors in F32, as converters write them. */
export function encodeCheckpoint(draft: Draft, encoding: Encoding): Uint8Array {
  const tensors: WriterTensor[] = [];
  for (const [name, { shape, values }] of draft.tensors) {
    const type = shape.length < 2 ? 'F32' : typeOf(name, encoding, draft.family);
    tensors.push({ name, shape, ggmlType: ggmlTypeOf(type), data: quantize(type, values) });
  }
  const metadata = { ...draft.metadata, 'general.file_type': FILE_TYPES[encoding] };
  return writeGguf({ metadata, tensors });
}

/** llama.cpp's numbers for `general.file_type`. */
const FILE_TYPES: Readonly<Record<Encoding, number>> = {
  F32: 0,
  F16: 1,
  BF16: 32,
  Q8_0: 7,
  Q4_0: 2,
  Q4_1: 3,
  Q4_K: 14,
  Q4_K_M: 15,
  Q6_K: 18,
};

function typeOf(name: string, encoding: Encoding, family: Family): TypeName {
  if (encoding !== 'Q4_K_M') return encoding;
  const isHead = name === 'output.weight' || (family.tied && name === 'token_embd.weight');
  const weighsMost = /^blk\.0\.(attn_v|ffn_down)\.weight$/.test(name);
  return isHead || weighsMost ? 'Q6_K' : 'Q4_K';
}

function metadataOf(family: Family, size: Size): WriterMetadata {
  const { architecture } = family;
  const f32 = (value: number) => ({ type: 'f32', value }) as const;
  const isLlama = architecture === 'llama';
  const ownHeadSize = size.heads * size.headSize !== size.hiddenSize || architecture === 'qwen3';
  return {
    'general.architecture': architecture,
    'general.name': `${family.name} for tests`,
    'general.quantization_version': 2,
    [`${architecture}.context_length`]: CONTEXT_TOKENS,
    [`${architecture}.embedding_length`]: size.hiddenSize,
    [`${architecture}.block_count`]: family.layers,
    [`${architecture}.feed_forward_length`]: size.feedForward,
    [`${architecture}.attention.head_count`]: size.heads,
    [`${architecture}.attention.head_count_kv`]: size.kvHeads,
    [`${architecture}.attention.layer_norm_rms_epsilon`]: f32(family.rmsEps),
    [`${architecture}.rope.freq_base`]: f32(family.ropeTheta),
    ...(isLlama && {
      'llama.rope.dimension_count': size.headSize,
      'llama.vocab_size': family.vocabularySize,
    }),
    ...(ownHeadSize && {
      [`${architecture}.attention.key_length`]: size.headSize,
      [`${architecture}.attention.value_length`]: size.headSize,
    }),
    ...vocabularyOf(family),
  };
}

/** What llama.cpp's converter writes for `rope_type: llama3`: by how much each frequency is divided. */
function ropeFactors(scaling: RopeScaling, theta: number, headSize: number): Float32Array {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContext } = scaling;
  return Float32Array.from({ length: headSize / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / headSize);
    if (wavelength < originalContext / high) return 1;
    if (wavelength > originalContext / low) return factor;
    const smooth = (originalContext / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}
