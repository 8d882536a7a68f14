import type { Gpu } from './device.ts';
import type { Dispatch } from './program.ts';
import { padded, STEP_CONSTANTS } from './step.ts';

const THREADS = 256;
/** Tokens of one workgroup. */
const CHUNK = 2048;
/** Likeliest tokens that a result can list, and tokens that can have a bias. */
export const MAX_TOP_LOG_PROBS = 20;
export const MAX_BIASES = 300;
/** Passes of ten bits each: three for top-k, three for top-p. */
const PASSES = 6;
const HISTOGRAM_WORDS = 2 * 1024 + 2;
const HEADER_WORDS = 12;
/** Words of a slot in the settings buffer, and of a logit row in the results buffer. */
export const SETTINGS_WORDS = HEADER_WORDS + 2 * MAX_BIASES;
export const RESULT_WORDS = 4 + 2 * MAX_TOP_LOG_PROBS;

const ALL_P = 0xffffffff;
/** Below this temperature the likeliest token is all that is left; it is then taken without drawing. */
const LEAST_TEMPERATURE = 1e-4;
/** Larger biases are cut to this, so that every changed logit stays finite. */
const MOST_BIAS = 1e30;
const IN_PROMPT = 0x80000000;

/**
 * How the next token is drawn. Applied in this order: bias, repetition, frequency and presence penalties, temperature,
 * top-k, top-p (of what top-k left), min-p.
 */
export interface SamplerParameters {
  /** 0 is greedy: the largest changed logit, of equal ones the lowest token. */
  readonly temperature: number;
  /** 0 is off. */
  readonly topK: number;
  /** 1 is off. */
  readonly topP: number;
  /** 0 is off. */
  readonly minP: number;
  /** Divides positive and multiplies negative logits of tokens that the prompt or the answer has; 1 is off. */
  readonly repetitionPenalty: number;
  /** Subtracted once for each time that the answer has the token, and once if it has it. */
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly seed: number;
  /** [token, added to its logit]; at most MAX_BIASES tokens. */
  readonly logitBias?: readonly (readonly [number, number])[];
  /** How many of the likeliest tokens a result lists, at most MAX_TOP_LOG_PROBS. */
  readonly topLogProbs?: number;
}

export interface SampledToken {
  readonly token: number;
  /** Natural logarithm of its probability by the logits as the model gave them. */
  readonly logProb: number;
  /** Likeliest first, by the logits as the model gave them. */
  readonly top: readonly { readonly token: number; readonly logProb: number }[];
  /** False when a logit was infinite or no number: the token means nothing. */
  readonly finite: boolean;
}

export interface Sampler {
  /** f32 [logitRows][padded(vocab)]. */
  readonly logits: GPUBuffer;
  readonly step: GPUBuffer;
  /** SETTINGS_WORDS a slot, by `writeSamplerSettings`. */
  readonly settings: GPUBuffer;
  /** u32 [slot][vocab], by `writeCounts`; a sampled token's count goes up by itself. */
  readonly counts: GPUBuffer;
  /** At least `samplerScratchBytes(logitRows, vocab)`. */
  readonly scratch: GPUBuffer;
  /** u32 [slot]: the token that the slot's next step is fed. */
  readonly sampled: GPUBuffer;
  /** RESULT_WORDS a logit row, read by `readResult`. */
  readonly results: GPUBuffer;
  readonly vocab: number;
  readonly logitRows: number;
}

/** Draws the next token of each logit row of the step by the settings of its slot. */
export function sampler(gpu: Gpu, sampler: Sampler): Dispatch[] {
  const { logits, step, settings, counts, scratch, sampled, results, vocab, logitRows } = sampler;
  const chunks = chunksOf(vocab);
  const constants = {
    ...STEP_CONSTANTS,
    vocab,
    stride: padded(vocab),
    threads: THREADS,
    chunk: CHUNK,
    chunks,
    rowWords: rowWords(vocab),
    maxBiases: MAX_BIASES,
    maxTop: MAX_TOP_LOG_PROBS,
    resultWords: RESULT_WORDS,
  };
  const overChunks = (name: string, buffers: readonly GPUBuffer[], extra = {}): Dispatch => ({
    kernel: gpu.kernels.get(name, { ...constants, ...extra }),
    buffers,
    grid: [chunks, logitRows, 1],
  });
  return [
    overChunks('sample_adjust', [logits, step, settings, counts, scratch]),
    overChunks('sample_weigh', [step, settings, scratch]),
    ...Array.from({ length: PASSES }, (_, pass) => overChunks('sample_histogram', [step, settings, scratch], { pass })),
    overChunks('sample_total', [step, settings, scratch]),
    {
      kernel: gpu.kernels.get('sample_pick', constants),
      buffers: [logits, step, settings, scratch, counts, sampled, results],
      grid: [1, logitRows, 1],
    },
  ];
}

/** Bytes of scratch; what fits more rows serves fewer. */
export function samplerScratchBytes(logitRows: number, vocab: number): number {
  return logitRows * rowWords(vocab) * 4;
}

function chunksOf(vocab: number): number {
  return Math.ceil(vocab / CHUNK);
}

/** As parts/sampling.wgsl lays a row out. */
function rowWords(vocab: number): number {
  return padded(vocab) + chunksOf(vocab) * (8 + 2 * MAX_TOP_LOG_PROBS) + (PASSES + 1) * 4 + PASSES * HISTOGRAM_WORDS;
}

/** Writes the settings of one slot into `words` (SETTINGS_WORDS long). */
export function writeSamplerSettings(words: Uint32Array<ArrayBuffer>, parameters: SamplerParameters): void {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  words.fill(0);
  const { temperature, topK, topP, minP } = parameters;
  floats[0] = temperature < LEAST_TEMPERATURE ? 0 : 1 / temperature;
  words[1] = Math.max(0, topK);
  words[2] = topP >= 1 ? ALL_P : Math.min(ALL_P - 1, Math.round(Math.max(0, topP) * 2 ** 32));
  // the largest weight is 2^30 - 1
  words[3] = Math.min(2 ** 30 - 1, Math.ceil(Math.max(0, minP) * 2 ** 30));
  floats[4] = parameters.repetitionPenalty;
  floats[5] = parameters.frequencyPenalty;
  floats[6] = parameters.presencePenalty;
  words[7] = parameters.seed >>> 0;
  const biases = new Map<number, number>();
  for (const [token, bias] of parameters.logitBias ?? []) biases.set(token, (biases.get(token) ?? 0) + bias);
  words[8] = Math.min(biases.size, MAX_BIASES);
  words[9] = listed(parameters.topLogProbs ?? 0);
  let at = HEADER_WORDS;
  for (const [token, bias] of [...biases].slice(0, MAX_BIASES)) {
    words[at] = token;
    floats[at + 1] = Math.min(MOST_BIAS, Math.max(-MOST_BIAS, bias));
    at += 2;
  }
}

/**
 * Writes what the penalties of one slot count into `words` (one a token of the vocabulary): again whenever its session
 * is edited or goes back.
 * @param generated how many of `tokens`, at the end, are the answer's; the others are the prompt's
 */
export function writeCounts(words: Uint32Array, tokens: readonly number[], generated: number): void {
  words.fill(0);
  tokens.forEach((token, i) => {
    const before = words[token];
    if (before === undefined) return;
    words[token] = i < tokens.length - generated ? (before | IN_PROMPT) >>> 0 : before + 1;
  });
}

/** Bytes of a result that lists so many of the likeliest tokens; the rest of its RESULT_WORDS means nothing. */
export function resultBytes(topLogProbs: number): number {
  return (4 + 2 * listed(topLogProbs)) * 4;
}

function listed(topLogProbs: number): number {
  return Math.min(MAX_TOP_LOG_PROBS, Math.max(0, Math.trunc(topLogProbs)));
}

/** The i-th result of a results buffer. */
export function readResult(words: Uint32Array, i: number): SampledToken {
  const at = i * RESULT_WORDS;
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const top = Array.from({ length: Math.min(words[at + 3] ?? 0, MAX_TOP_LOG_PROBS) }, (_, n) => ({
    token: words[at + 4 + n * 2] ?? 0,
    logProb: floats[at + 5 + n * 2] ?? Number.NaN,
  }));
  return { token: words[at] ?? 0, logProb: floats[at + 2] ?? Number.NaN, top, finite: words[at + 1] === 0 };
}
