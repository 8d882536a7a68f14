import { createReasoningFold } from './reasoning.ts';
import { createStopFilter } from './stop-strings.ts';
import type { AnswerStream, TextPiece, Tokenizer } from './types.ts';

export interface AnswerStreamOptions {
  /** Texts that end the answer and are not shown, nor is any part of them. They count inside reasoning too. */
  readonly stopStrings?: readonly string[];
  /** Tokens that end the answer; the tokenizer's own unless given. */
  readonly endTokens?: ReadonlySet<number>;
  /** The prompt has opened `<think>` already: see `promptOpensReasoning`. */
  readonly startsInReasoning?: boolean;
}

/** Marks that some vocabularies make control tokens, which have no text. */
const MARKS = new Set(['<think>', '</think>']);

/**
 * Turns an answer's tokens into text for people. Bytes that no character can begin or go on with become U+FFFD as soon
 * as that is certain; a character that is unfinished at the end is left out.
 */
export function createAnswerStream(tokenizer: Tokenizer, options: AnswerStreamOptions = {}): AnswerStream {
  const endTokens = options.endTokens ?? tokenizer.endTokens;
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  const stops = createStopFilter(options.stopStrings ?? []);
  const fold = createReasoningFold(options.startsInReasoning ?? false);
  let ended = false;

  const end = (pieces: readonly TextPiece[]) => {
    ended = true;
    return joined([...pieces, ...fold.push(stops.finish()), ...fold.finish()]);
  };

  return {
    push(token) {
      if (ended) return { pieces: [], stopped: true };
      if (endTokens.has(token)) return { pieces: end([]), stopped: true };
      const { text, stopped } = stops.push(utf8.decode(visibleBytes(tokenizer, token), { stream: true }));
      const pieces = fold.push(text);
      return { pieces: stopped ? end(pieces) : pieces, stopped };
    },
    finish() {
      return ended ? [] : end([]);
    },
  };
}

function visibleBytes(tokenizer: Tokenizer, token: number): Uint8Array {
  const bytes = tokenizer.tokenBytes(token);
  if (bytes.length > 0) return bytes;
  const named = tokenizer.tokenBytes(token, true);
  return MARKS.has(new TextDecoder().decode(named)) ? named : bytes;
}

/** Neighbours of one kind as one piece. */
function joined(pieces: readonly TextPiece[]): readonly TextPiece[] {
  const result: TextPiece[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (last?.kind === piece.kind) result[result.length - 1] = { kind: last.kind, text: last.text + piece.text };
    else result.push(piece);
  }
  return result;
}
