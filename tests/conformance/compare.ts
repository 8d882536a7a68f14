/** How far an engine may be from the reference, by how it stores activations and KV. */
export interface Tolerance {
  /** Mean Kullback-Leibler divergence of the engine from the reference, nats. */
  readonly kl: number;
  /** Largest difference of a raw logit, over the reference's largest minus smallest at that position. */
  readonly logits: number;
}

export const TOLERANCES = {
  f32: { kl: 1e-4, logits: 1e-3 },
  f16: { kl: 1e-3, logits: 1e-2 },
} as const satisfies Record<string, Tolerance>;
export type Storage = keyof typeof TOLERANCES;

export interface Comparison {
  readonly positions: number;
  /** Mean over the positions, nats. */
  readonly kl: number;
  /** Largest over the positions. */
  readonly logitError: number;
  /** Positions at which the reference prefers its first token by more than twice the tolerance of logits. */
  readonly decided: number;
  /** Share of those at which the engine has the same first token; 1 where there are none. */
  readonly greedyAgreement: number;
  /** Mean entropy of the reference over ln of the vocabulary: flat logits (near 1) would hide every fault. */
  readonly entropyShare: number;
}

/**
 * Compares raw logits position by position, in float64.
 * @throws RangeError where the two have not the same positions and vocabulary
 */
export function compareLogits(
  reference: readonly Float32Array[],
  actual: readonly Float32Array[],
  tolerance: Tolerance,
): Comparison {
  if (reference.length !== actual.length || reference.length === 0) {
    throw new RangeError(`the engine gave logits at ${actual.length} positions, the reference at ${reference.length}`);
  }
  let kl = 0;
  let entropy = 0;
  let logitError = 0;
  let decided = 0;
  let agreed = 0;
  for (const [position, wanted] of reference.entries()) {
    const got = actual[position] as Float32Array;
    if (got.length !== wanted.length) {
      throw new RangeError(`the engine gave ${got.length} logits, the reference ${wanted.length}`);
    }
    const { first, second, least, firstToken } = extremes(wanted);
    const range = first - least;
    const distribution = distributionDistance(wanted, got);
    kl += distribution.kl;
    entropy += distribution.entropy;
    logitError = worst(logitError, largestDifference(wanted, got) / range);
    if (first - second > 2 * tolerance.logits * range) {
      decided++;
      if (extremes(got).firstToken === firstToken) agreed++;
    }
  }
  const positions = reference.length;
  return {
    positions,
    kl: kl / positions,
    logitError,
    decided,
    greedyAgreement: decided === 0 ? 1 : agreed / decided,
    entropyShare: entropy / positions / Math.log((reference[0] as Float32Array).length),
  };
}

/** What is outside the tolerance, in words; empty where the engine conforms. */
export function failuresOf(comparison: Comparison, tolerance: Tolerance): string[] {
  const failures: string[] = [];
  // written so that NaN fails
  if (!(comparison.kl < tolerance.kl)) failures.push(`mean KL ${comparison.kl} is not under ${tolerance.kl}`);
  if (!(comparison.logitError <= tolerance.logits)) {
    failures.push(`logits differ by ${comparison.logitError} of their range, allowed ${tolerance.logits}`);
  }
  if (comparison.greedyAgreement < 1) {
    failures.push(`same first token at ${comparison.greedyAgreement} of ${comparison.decided} decided positions`);
  }
  return failures;
}

/** Entropy of the softmax of `wanted`, and its divergence from that of `got`, nats. */
function distributionDistance(wanted: Float32Array, got: Float32Array): { kl: number; entropy: number } {
  const wantedLog = logSumExp(wanted);
  const gotLog = logSumExp(got);
  let kl = 0;
  let entropy = 0;
  for (let token = 0; token < wanted.length; token++) {
    const logProbability = (wanted[token] as number) - wantedLog;
    const probability = Math.exp(logProbability);
    kl += probability * (logProbability - ((got[token] as number) - gotLog));
    entropy -= probability * logProbability;
  }
  return { kl, entropy };
}

function logSumExp(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > largest) largest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}

function largestDifference(wanted: Float32Array, got: Float32Array): number {
  let difference = 0;
  for (let token = 0; token < wanted.length; token++) {
    difference = worst(difference, Math.abs((wanted[token] as number) - (got[token] as number)));
  }
  return difference;
}

/** The larger of two, and NaN once one is NaN. */
function worst(a: number, b: number): number {
  return b > a || Number.isNaN(b) ? b : a;
}

function extremes(logits: Float32Array): { first: number; second: number; least: number; firstToken: number } {
  let first = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  let least = Number.POSITIVE_INFINITY;
  let firstToken = -1;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token] as number;
    if (logit > first) {
      second = first;
      first = logit;
      firstToken = token;
    } else if (logit > second) second = logit;
    if (logit < least) least = logit;
  }
  return { first, second, least, firstToken };
}
