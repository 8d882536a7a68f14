/**
 * The structures that small checkpoints are made with: each family's real head size, ratio of query to KV heads, rope,
 * norms, biases and tying; widths and depth are small, and vocabularies odd on purpose.
 */
export interface Family {
  readonly name: string;
  readonly architecture: 'llama' | 'qwen2' | 'qwen3';
  readonly vocabulary: 'spm' | 'bpe';
  readonly layers: number;
  /** Rows of the embedding and of the head. */
  readonly vocabularySize: number;
  readonly tied: boolean;
  readonly rmsEps: number;
  readonly ropeTheta: number;
  /** Llama 3's: the converter writes it as the tensor `rope_freqs.weight`. */
  readonly ropeScaling?: RopeScaling;
  readonly biases: boolean;
  readonly queryKeyNorm: boolean;
  /** Widths for types with blocks of 32 weights or none. */
  readonly size: Size;
  /** Widths for types with blocks of 256 weights, where `size` has other columns. */
  readonly wideSize?: Size;
}

export interface Size {
  readonly hiddenSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly feedForward: number;
}

export interface RopeScaling {
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  readonly originalContext: number;
}

export const FAMILIES: readonly Family[] = [
  {
    // 7B: one KV head a query head, head size 128
    name: 'Llama 2',
    architecture: 'llama',
    vocabulary: 'spm',
    layers: 2,
    vocabularySize: 1003,
    tied: false,
    rmsEps: 1e-5,
    ropeTheta: 10_000,
    biases: false,
    queryKeyNorm: false,
    size: { hiddenSize: 512, heads: 4, kvHeads: 4, headSize: 128, feedForward: 768 },
  },
  {
    // 3.2 1B: head size 64, four query heads a KV head, rope scaled by 32, tied
    name: 'Llama 3.2',
    architecture: 'llama',
    vocabulary: 'bpe',
    layers: 3,
    vocabularySize: 1031,
    tied: true,
    rmsEps: 1e-5,
    ropeTheta: 500_000,
    ropeScaling: { factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192 },
    biases: false,
    queryKeyNorm: false,
    size: { hiddenSize: 512, heads: 8, kvHeads: 2, headSize: 64, feedForward: 768 },
  },
  {
    // 135M: its very widths where blocks allow, nine heads of 64 over three KV heads
    name: 'SmolLM2',
    architecture: 'llama',
    vocabulary: 'bpe',
    layers: 2,
    vocabularySize: 1024,
    tied: true,
    rmsEps: 1e-5,
    ropeTheta: 100_000,
    biases: false,
    queryKeyNorm: false,
    size: { hiddenSize: 576, heads: 9, kvHeads: 3, headSize: 64, feedForward: 544 },
    wideSize: { hiddenSize: 768, heads: 12, kvHeads: 4, headSize: 64, feedForward: 512 },
  },
  {
    // Nemo: heads of 128 that together are wider than the hidden state, untied
    name: 'Mistral',
    architecture: 'llama',
    vocabulary: 'bpe',
    layers: 2,
    vocabularySize: 1090,
    tied: false,
    rmsEps: 1e-5,
    ropeTheta: 1_000_000,
    biases: false,
    queryKeyNorm: false,
    size: { hiddenSize: 512, heads: 8, kvHeads: 2, headSize: 128, feedForward: 768 },
  },
  {
    // 0.5B: fourteen heads of 64 over two KV heads, tied; 1.5B where blocks are wide: twelve of 128 over two
    name: 'Qwen2',
    architecture: 'qwen2',
    vocabulary: 'bpe',
    layers: 2,
    vocabularySize: 1040,
    tied: true,
    rmsEps: 1e-6,
    ropeTheta: 1_000_000,
    biases: true,
    queryKeyNorm: false,
    size: { hiddenSize: 896, heads: 14, kvHeads: 2, headSize: 64, feedForward: 608 },
    wideSize: { hiddenSize: 1536, heads: 12, kvHeads: 2, headSize: 128, feedForward: 512 },
  },
  {
    // 14B: five query heads a KV head, head size 128, untied
    name: 'Qwen2.5',
    architecture: 'qwen2',
    vocabulary: 'bpe',
    layers: 2,
    vocabularySize: 1001,
    tied: false,
    rmsEps: 1e-6,
    ropeTheta: 1_000_000,
    biases: true,
    queryKeyNorm: false,
    size: { hiddenSize: 1280, heads: 10, kvHeads: 2, headSize: 128, feedForward: 512 },
  },
  {
    // 0.6B: two query heads a KV head, heads of 128 that together are twice the hidden state, tied
    name: 'Qwen3',
    architecture: 'qwen3',
    vocabulary: 'bpe',
    layers: 3,
    vocabularySize: 1111,
    tied: true,
    rmsEps: 1e-6,
    ropeTheta: 1_000_000,
    biases: false,
    queryKeyNorm: true,
    size: { hiddenSize: 256, heads: 4, kvHeads: 2, headSize: 128, feedForward: 768 },
  },
];
