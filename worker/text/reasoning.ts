import type { TextPiece } from './types.ts';

const OPEN = '<think>';
const CLOSE = '</think>';

/** Tells a model's reasoning from its answer, by `<think>` and `</think>`, which it takes out. */
export interface ReasoningFold {
  push(text: string): readonly TextPiece[];
  /** What was held back, at the end. */
  finish(): readonly TextPiece[];
}

/** Whether a prompt ends inside `<think>`: the template opened it, and the model goes on from there. */
export function promptOpensReasoning(prompt: string): boolean {
  return prompt.trimEnd().endsWith(OPEN);
}

/**
 * Reasoning opens at the very start of the answer or right behind other reasoning; elsewhere `<think>` is text that
 * the model writes about. Blanks next to the marks belong to them.
 */
export function createReasoningFold(startsInReasoning: boolean): ReasoningFold {
  let kind: TextPiece['kind'] = startsInReasoning ? 'reasoning' : 'answer';
  /** Nothing but blanks so far in this part, so that a mark may open it. */
  let atStart = true;
  /** Blanks at the start are part of a mark, not of the text. */
  let dropBlanks = startsInReasoning;
  let held = '';

  function* read(): Generator<TextPiece> {
    for (;;) {
      if (atStart) {
        const text = held.trimStart();
        if (text === '' || isBeginning(text, OPEN)) return;
        if (text.startsWith(OPEN)) {
          kind = 'reasoning';
          held = text.slice(OPEN.length);
          dropBlanks = true;
          continue;
        }
        if (dropBlanks) held = text;
        atStart = false;
      }
      if (kind === 'answer') {
        yield* piece(held);
        held = '';
        return;
      }
      const close = held.indexOf(CLOSE);
      if (close < 0) {
        const keep = beginningAtEnd(held, CLOSE);
        yield* piece(held.slice(0, held.length - keep));
        held = held.slice(held.length - keep);
        return;
      }
      yield* piece(held.slice(0, close));
      held = held.slice(close + CLOSE.length);
      kind = 'answer';
      atStart = true;
      dropBlanks = true;
    }
  }

  function* piece(text: string): Generator<TextPiece> {
    if (text !== '') yield { kind, text };
  }

  return {
    push(text) {
      held += text;
      return [...read()];
    },
    finish() {
      const rest = atStart && dropBlanks ? held.trimStart() : held;
      held = '';
      return [...piece(rest)];
    },
  };
}

function isBeginning(text: string, mark: string): boolean {
  return text.length < mark.length && mark.startsWith(text);
}

/** Length of the longest end of `text` that begins `mark`. */
function beginningAtEnd(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}
