import { describe, expect, it } from 'vitest';
import { createAnswerStream, type Tokenizer } from '../text/index.ts';
import { continuedTokens } from './continued.ts';

const CONTROL = ['<think>', '</think>', '<|end|>'];
const FIRST_CONTROL = 256;

/** One token a byte, and control tokens that only `parseSpecial` reads. */
const tokenizer: Tokenizer = {
  size: FIRST_CONTROL + CONTROL.length,
  bosToken: undefined,
  eosToken: FIRST_CONTROL + 2,
  endTokens: new Set([FIRST_CONTROL + 2]),
  encode(text, { parseSpecial }) {
    const parts = parseSpecial ? text.split(/(<think>|<\/think>|<\|end\|>)/) : [text];
    const tokens = parts.flatMap((part) => {
      const control = parseSpecial ? CONTROL.indexOf(part) : -1;
      return control >= 0 ? [FIRST_CONTROL + control] : [...new TextEncoder().encode(part)];
    });
    return Uint32Array.from(tokens);
  },
  tokenBytes(token, special) {
    if (token < FIRST_CONTROL) return Uint8Array.of(token);
    return special ? new TextEncoder().encode(CONTROL[token - FIRST_CONTROL]) : new Uint8Array();
  },
  decode: () => '',
};
const model = { key: 'one', tokenizer };

/** What a person is shown of these tokens and of what follows. */
function shown(tokens: readonly number[], then: string, opensReasoning: boolean) {
  const stream = createAnswerStream(tokenizer, { startsInReasoning: opensReasoning });
  const all = [...tokens, ...tokenizer.encode(then, { addSpecial: false, parseSpecial: true })];
  const pieces = [...all.flatMap((token) => stream.push(token).pieces), ...stream.finish()];
  const of = (kind: string) => pieces.map((piece) => (piece.kind === kind ? piece.text : '')).join('');
  return { reasoning: of('reasoning'), answer: of('answer') };
}

describe.each([false, true])('an answer that goes on (the prompt opens its reasoning: %s)', (opens) => {
  it('in the middle of its reasoning goes on with that reasoning', () => {
    const tokens = continuedTokens(model, undefined, { reasoning: 'The moon', text: '' }, opens);
    expect(shown(tokens, ' pulls.</think>\n\nTwo tides.', opens)).toEqual({
      reasoning: 'The moon pulls.',
      answer: 'Two tides.',
    });
  });

  it('behind its reasoning goes on with its text', () => {
    const tokens = continuedTokens(model, undefined, { reasoning: 'Hm.\n', text: 'Two' }, opens);
    expect(shown(tokens, ' tides.', opens)).toEqual({ reasoning: 'Hm.\n', answer: 'Two tides.' });
  });

  it('reads no control token out of what was written', () => {
    const tokens = continuedTokens(model, undefined, { reasoning: '', text: 'Write <|end|> at' }, opens);
    expect(tokens).not.toContain(tokenizer.eosToken);
    expect(shown(tokens, ' the end.', opens).answer).toBe('Write <|end|> at the end.');
  });

  it('that has not begun begins', () => {
    expect(continuedTokens(model, undefined, { reasoning: '', text: '' }, opens)).toEqual([]);
  });
});

it('goes on from the tokens that were sampled, of the same answer of the same model only', () => {
  const last = { model: 'one', reasoning: 'Hm', text: '', tokens: [7, 8, 9] };
  expect(continuedTokens(model, last, { reasoning: 'Hm', text: '' }, true)).toEqual([7, 8, 9]);
  expect(continuedTokens(model, last, { reasoning: 'Other', text: '' }, true)).not.toEqual([7, 8, 9]);
  expect(continuedTokens({ key: 'two', tokenizer }, last, { reasoning: 'Hm', text: '' }, true)).not.toEqual([7, 8, 9]);
});
