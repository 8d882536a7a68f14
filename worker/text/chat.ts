import type { Metadata } from '../weights/types.ts';
import { readString } from './metadata.ts';
import type { ChatTurn, Tokenizer } from './types.ts';

/** A format for checkpoints without a usable template. */
export type FallbackStyle = 'chatml' | 'plain';

/** The checkpoint's own chat template, or undefined. */
export function chatTemplate(metadata: Metadata): string | undefined {
  return readString(metadata, 'tokenizer.chat_template') || undefined;
}

/** ChatML where the vocabulary has its marks; otherwise lines that any text model can go on with. */
export function fallbackStyle(tokenizer: Tokenizer): FallbackStyle {
  const mark = (text: string) => tokenizer.encode(text, { addSpecial: false, parseSpecial: true }).length === 1;
  return mark('<|im_start|>') && mark('<|im_end|>') ? 'chatml' : 'plain';
}

export function renderFallback(style: FallbackStyle, turns: readonly ChatTurn[], addGenerationPrompt: boolean): string {
  if (style === 'chatml') {
    const text = turns.map((turn) => `<|im_start|>${turn.role}\n${turn.content}<|im_end|>\n`).join('');
    return addGenerationPrompt ? `${text}<|im_start|>assistant\n` : text;
  }
  const text = turns.map((turn) => `${PLAIN_NAMES[turn.role]}${turn.content}\n`).join('');
  return addGenerationPrompt ? `${text}${PLAIN_NAMES.assistant.trimEnd()}` : text;
}

const PLAIN_NAMES = { system: '', user: 'User: ', assistant: 'Assistant: ' } as const;

/** Stop strings that go with a fallback: a model without turns of its own would write the user's next. */
export function fallbackStopStrings(style: FallbackStyle): readonly string[] {
  return style === 'plain' ? ['\nUser:'] : ['<|im_end|>', '<|im_start|>'];
}

/** Text of a token, control tokens too: what templates call `bos_token` and `eos_token`. */
export function specialText(tokenizer: Tokenizer, token: number | undefined): string {
  return token === undefined ? '' : new TextDecoder().decode(tokenizer.tokenBytes(token, true));
}

/**
 * Tokens of a rendered prompt: marks read as control tokens, the beginning token once (templates write it themselves,
 * most of them), never an end token.
 */
export function encodePrompt(tokenizer: Tokenizer, prompt: string): Uint32Array {
  const { bosToken, addsBos = false } = tokenizer;
  const tokens = tokenizer.encode(prompt, { addSpecial: false, parseSpecial: true });
  if (!addsBos || bosToken === undefined || tokens[0] === bosToken) return tokens;
  const withBos = new Uint32Array(tokens.length + 1);
  withBos[0] = bosToken;
  withBos.set(tokens, 1);
  return withBos;
}
