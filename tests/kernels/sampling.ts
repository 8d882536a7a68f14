/** The distribution that sampler settings ask for, in float64, straight from their definitions. */
import type { SamplerParameters } from '../../worker/gpu/sampler.ts';
import { GREEDY } from '../setup/greedy.mjs';

export const PLAIN: SamplerParameters = { ...GREEDY, temperature: 1 };

export interface Said {
  readonly prompt: readonly number[];
  readonly generated: readonly number[];
}

/** Logits after bias and penalties. */
export function changedLogits(logits: Float32Array, parameters: SamplerParameters, said: Said): Float64Array {
  const changed = Float64Array.from(logits);
  const change = (token: number, by: (logit: number) => number) => {
    changed[token] = by(changed[token] ?? 0);
  };
  for (const [token, bias] of parameters.logitBias ?? []) change(token, (logit) => logit + bias);
  const { repetitionPenalty, frequencyPenalty, presencePenalty } = parameters;
  for (const token of new Set([...said.prompt, ...said.generated])) {
    change(token, (logit) => (logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty));
  }
  for (const token of said.generated) change(token, (logit) => logit - frequencyPenalty);
  for (const token of new Set(said.generated)) change(token, (logit) => logit - presencePenalty);
  return changed;
}

/** Probability of each token; temperature above 0. */
export function distribution(logits: Float32Array, parameters: SamplerParameters, said: Said): Float64Array {
  const changed = changedLogits(logits, parameters, said);
  const largest = changed.reduce((a, b) => Math.max(a, b));
  const weights = changed.map((logit) => Math.exp((logit - largest) / parameters.temperature));
  const sorted = Float64Array.from(weights).sort().reverse();
  const { topK, topP, minP } = parameters;
  let least = minP;
  if (topK > 0 && topK < sorted.length) least = Math.max(least, sorted[topK - 1] ?? 0);
  if (topP < 1) {
    const left = topK > 0 ? sorted.subarray(0, topK) : sorted;
    const total = left.reduce((a, b) => a + b, 0);
    let sum = 0;
    let i = 0;
    while (i < left.length - 1 && sum + (left[i] ?? 0) < topP * total) sum += left[i++] ?? 0;
    least = Math.max(least, left[i] ?? 0);
  }
  const kept = weights.map((weight) => (weight >= least ? weight : 0));
  const total = kept.reduce((a, b) => a + b, 0);
  return kept.map((weight) => weight / total);
}

/** How far outside the interval of `token` a uniform draw lies when tokens are laid along [0, 1) in their order. */
export function misses(probabilities: Float64Array, token: number, uniform: number): number {
  if (token >= probabilities.length) return Infinity;
  let before = 0;
  for (let i = 0; i < token; i++) before += probabilities[i] ?? 0;
  return Math.max(0, before - uniform, uniform - before - (probabilities[token] ?? 0));
}

/**
 * Pearson's chi-square of draws against probabilities, tokens joined until each bin expects 8; in standard deviations
 * from its mean.
 */
export function chiSquareDeviations(probabilities: Float64Array, tokens: readonly number[]): number {
  const counts = new Float64Array(probabilities.length);
  for (const token of tokens) counts[token] = (counts[token] ?? 0) + 1;
  const bins: { expected: number; seen: number }[] = [];
  let bin = { expected: 0, seen: 0 };
  probabilities.forEach((probability, token) => {
    bin.expected += probability * tokens.length;
    bin.seen += counts[token] ?? 0;
    if (bin.expected >= 8) {
      bins.push(bin);
      bin = { expected: 0, seen: 0 };
    }
  });
  const last = bins.at(-1);
  if (last !== undefined) {
    last.expected += bin.expected;
    last.seen += bin.seen;
  }
  const freedom = bins.length - 1;
  if (freedom < 1) throw new Error('too few draws for the statistic');
  const chiSquare = bins.reduce((sum, { expected, seen }) => sum + (seen - expected) ** 2 / expected, 0);
  return (chiSquare - freedom) / Math.sqrt(2 * freedom);
}

export function logSoftmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Float64Array.from(logits, (logit) => logit - largest - Math.log(sum));
}
