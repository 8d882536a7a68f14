import type { Simulation } from './simulation.ts';
import type { Tally } from './tally.ts';

/** What the command prints. */
export function report(simulation: Simulation, tally: Tally, realSeconds: number, cpuSeconds: number) {
  const { seed } = simulation.constants;
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    seed,
    answersCompleted: tally.answersCompleted,
    answersLost: tally.answersLost,
    wrongTokens: tally.wrongTokens,
    stuck: tally.stuck,
    kills: tally.kills,
    stallP99Seconds: tally.percentile(tally.stallSeconds, 0.99),
    stallP50Seconds: tally.percentile(tally.stallSeconds, 0.5),
    stallP90Seconds: tally.percentile(tally.stallSeconds, 0.9),
    stallMostSeconds: tally.percentile(tally.stallSeconds, 1),
    stalls: tally.stallSeconds.length,
    longestWithoutTokenSeconds: round(tally.longestWithoutTokenSeconds),
    answersStopped: tally.answersStopped,
    answersAskedAgain: tally.answersAskedAgain,
    answeringSeconds: round(tally.answeringSeconds),
    driverOutSeconds: round(tally.driverOutSeconds),
    noRoomSeconds: round(tally.noRoomSeconds),
    tokens: tally.tokens,
    tokensByStages: tally.tokensByStages,
    lapMs: {
      p5: tally.percentile(tally.lapMs, 0.05),
      p50: tally.percentile(tally.lapMs, 0.5),
      p95: tally.percentile(tally.lapMs, 0.95),
    },
    rowsComputed: tally.stepRows,
    steps: tally.steps,
    proposals: tally.proposals,
    loads: tally.loads,
    linksOpened: tally.linksOpened,
    faults: tally.faults,
    statuses: tally.statuses,
    mostWaitingBytes: simulation.mostWaitingBytes,
    messages: simulation.messages,
    events: tally.events,
    realSeconds: round(realSeconds),
    // less than those where other programs run, too
    cpuSeconds: round(cpuSeconds),
    constants: simulation.constants,
  };
}
