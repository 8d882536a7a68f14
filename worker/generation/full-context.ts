import type { WaysOn } from '../api.ts';
import { PersonError } from '../errors.ts';
import type { ChatTurn } from '../text/index.ts';

/** A way on is offered where it makes room for so many more tokens of an answer. */
const USEFUL_TOKENS = 64;

/** A conversation that fills the context, or nearly. */
export interface FullConversation {
  /** Without the answer that was begun. */
  readonly turns: readonly ChatTurn[];
  /** Tokens of the begun answer, and how many they are without its reasoning; 0 where it has none, or nothing else. */
  readonly begunTokens: number;
  readonly begunWithoutReasoning: number;
  readonly contextTokens: number;
  /** Tokens of the prompt that turns make. */
  readonly promptTokens: (turns: readonly ChatTurn[]) => Promise<number>;
}

/** What would make room, tried out: nothing is offered that then fails. */
export async function waysOn(full: FullConversation): Promise<WaysOn> {
  const { turns, begunTokens, begunWithoutReasoning, contextTokens, promptTokens } = full;
  const most = contextTokens - USEFUL_TOKENS;
  const fewest = [...turns];
  let dropped = 0;
  for (let more = dropOldest(fewest); more > 0; more = dropOldest(fewest)) dropped += more;
  return {
    dropOldest: dropped > 0 && (await promptTokens(fewest)) + begunTokens <= most,
    dropReasoning: begunWithoutReasoning > 0 && (await promptTokens(turns)) + begunWithoutReasoning <= most,
  };
}

/** Takes out the oldest turn that is not the system's, with the answers that followed; the last question stays. */
export function dropOldest(turns: ChatTurn[]): number {
  const first = turns.findIndex(({ role }) => role !== 'system');
  const next = first < 0 ? -1 : turns.findIndex(({ role }, i) => i > first && role === 'user');
  if (next < 0) return 0;
  turns.splice(first, next - first);
  return next - first;
}

/** Says what fills the context, and what can be done: `details.dropOldest` and `details.dropReasoning` are `ways`. */
export function contextFull(
  what: 'conversation' | 'message' | 'answer',
  neededTokens: number,
  contextTokens: number,
  ways: WaysOn,
): PersonError {
  const said = {
    conversation: 'The conversation takes',
    message: 'This message alone takes',
    answer: 'This answer with its question takes',
  }[what];
  const steps = [
    ...(ways.dropOldest ? ['drop the oldest turns'] : []),
    ...(ways.dropReasoning ? ['go on without what it thought'] : []),
    ...(what === 'message' ? ['shorten it'] : []),
    'load the model with a longer context',
    ...(what === 'message' ? [] : ['begin a new conversation']),
  ];
  const last = steps.pop();
  const todo = steps.length === 0 ? last : `${steps.join(', ')}, or ${last}`;
  return new PersonError(`${said} ${neededTokens} tokens, and the context holds ${contextTokens}. To go on, ${todo}.`, {
    contextFull: true,
    neededTokens,
    contextTokens,
    ...ways,
  });
}
