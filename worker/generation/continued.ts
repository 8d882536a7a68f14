import type { Tokenizer } from '../text/index.ts';

/** What was said last in a conversation, token by token: a continued answer goes on from exactly these. */
export interface LastAnswer extends Begun {
  /** The model that said it: tokens mean nothing to another. */
  readonly model: string;
  readonly tokens: readonly number[];
}

/** An answer that broke off: what was thought and what was said of it. */
export interface Begun {
  readonly reasoning: string;
  readonly text: string;
}

const OPEN = '<think>\n';
const CLOSE = '</think>\n\n';

/**
 * Tokens of an answer that goes on: those that were sampled, where it is still the same answer of the same model, else
 * its reasoning and text in the marks that it was told apart by. Reasoning without text is unfinished, and stays open.
 * @param opensReasoning the prompt ends inside `<think>`
 */
export function continuedTokens(
  { key, tokenizer }: { readonly key: string; readonly tokenizer: Tokenizer },
  last: LastAnswer | undefined,
  begun: Begun,
  opensReasoning: boolean,
): readonly number[] {
  const { reasoning, text } = begun;
  if (last?.model === key && last.text === text && last.reasoning === reasoning) return [...last.tokens];
  if (reasoning === '' && text === '') return [];
  const mark = (written: string) => tokenizer.encode(written, { addSpecial: false, parseSpecial: true });
  const words = (written: string) => tokenizer.encode(written, { addSpecial: false, parseSpecial: false });
  const opens = reasoning !== '' && !opensReasoning;
  const closes = text !== '' && (reasoning !== '' || opensReasoning);
  return [...(opens ? mark(OPEN) : []), ...words(reasoning), ...(closes ? mark(CLOSE) : []), ...words(text)];
}
