/** What a simulation counts. */
export class Tally {
  answersCompleted = 0;
  answersStopped = 0;
  answersLost = 0;
  answersAskedAgain = 0;
  wrongTokens = 0;
  stuck = 0;
  kills = 0;
  tokens = 0;
  stepRows = 0;
  steps = 0;
  events = 0;
  proposals = 0;
  loads = 0;
  linksOpened = 0;
  driverOutSeconds = 0;
  noRoomSeconds = 0;
  answeringSeconds = 0;
  longestWithoutTokenSeconds = 0;
  readonly faults: Record<string, number> = {};
  readonly statuses: Record<string, number> = {};
  readonly stallSeconds: number[] = [];
  readonly lapMs: number[] = [];
  /** Tokens that came through so many stages. */
  readonly tokensByStages: Record<number, number> = {};

  percentile(list: readonly number[], share: number): number {
    if (list.length === 0) return 0;
    const sorted = Float64Array.from(list).sort();
    const value = sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] as number;
    return Math.round(value * 10) / 10;
  }
}
