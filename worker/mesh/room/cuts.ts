/** Attempts whose beginnings are remembered; who missed more begins at position 0. */
const REMEMBERED = 64;

/** How attempts of a session began: plain data, as the driver keeps it on its disk. */
export interface Attempts {
  /** The highest so far. */
  readonly last: number;
  /** Attempts up to this one are not remembered. */
  readonly forgotten: number;
  /** [attempt, tokens it kept], ascending in both: an attempt that kept less makes earlier ones that kept more void. */
  readonly kept: readonly (readonly [number, number])[];
}

export const NO_ATTEMPTS: Attempts = { last: 0, forgotten: 0, kept: [] };

/** Nothing that was computed up to this attempt is of use: of another model, or of tokens that this device has lost. */
export function attemptsAfter(last: number): Attempts {
  return last === 0 ? NO_ATTEMPTS : { last, forgotten: last + 1, kept: [] };
}

/** A further attempt, in which the first `keep` positions are what they were and all behind is new. */
export function withAttempt(attempts: Attempts, attempt: number, keep: number): Attempts {
  const kept = attempts.kept.filter(([, before]) => before < keep);
  let { forgotten } = attempts;
  if (kept.length === REMEMBERED) forgotten = kept.shift()?.[0] ?? forgotten;
  kept.push([attempt, keep]);
  return { last: attempt, forgotten, kept };
}

/**
 * How many positions of what a stage computed in attempt `at` are still of this conversation: a stage that was away
 * while others went on, or while a turn was edited, holds keys and values of tokens that are no more.
 */
export function validPositions(attempts: Attempts, at: number): number {
  if (at < attempts.forgotten) return 0;
  for (const [attempt, keep] of attempts.kept) if (attempt > at) return keep;
  return Number.POSITIVE_INFINITY;
}
