import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AnswerStreamOptions, createAnswerStream } from './answer-stream.ts';
import { promptOpensReasoning } from './reasoning.ts';
import type { TextPiece, Tokenizer } from './types.ts';

const END = 9999;
const CONTROL = 9998;
const THINK = 9997;
const CONTROL_TEXTS = new Map([
  [END, '<|end|>'],
  [CONTROL, '<|x|>'],
  [THINK, '<think>'],
]);
const encoder = new TextEncoder();

/** A vocabulary whose token i stands for the i-th of these runs of bytes. */
function runs(pieces: readonly Uint8Array[]): Tokenizer {
  return {
    size: 10_000,
    bosToken: undefined,
    eosToken: END,
    endTokens: new Set([END]),
    encode: () => new Uint32Array(),
    tokenBytes: (token, special) =>
      pieces[token] ?? (special ? encoder.encode(CONTROL_TEXTS.get(token)) : new Uint8Array()),
    decode: () => '',
  };
}

/** `bytes` in runs that end at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set([...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

function answer(
  pieces: readonly Uint8Array[],
  options?: AnswerStreamOptions,
): { pieces: TextPiece[]; stopped: boolean } {
  const stream = createAnswerStream(runs(pieces), options);
  const result: TextPiece[] = [];
  let stopped = false;
  for (let token = 0; token < pieces.length && !stopped; token++) {
    const step = stream.push(token);
    result.push(...step.pieces);
    stopped = step.stopped;
  }
  result.push(...stream.finish());
  return { pieces: result, stopped };
}

function textOf(pieces: readonly TextPiece[], kind: TextPiece['kind']): string {
  return pieces
    .filter((piece) => piece.kind === kind)
    .map((piece) => piece.text)
    .join('');
}

const places = fc.array(fc.nat(400), { maxLength: 40 });
const anyText = fc.string({ unit: 'binary', maxLength: 60 });
/** Few letters, so that stop strings and their beginnings really occur. */
const denseText = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '🙂', '\n'), maxLength: 40 });
const stopStrings = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'é', '🙂'), minLength: 1, maxLength: 4 }), {
  maxLength: 3,
});
const tagged = fc
  .array(fc.constantFrom('<think>', '</think>', '<', 'think', '>', '/', ' ', '\n', 'a', '🙂'), { maxLength: 16 })
  .map((parts) => parts.join(''));

describe('an answer stream', () => {
  test('gives any text whole, however its bytes are cut', () => {
    fc.assert(
      fc.property(anyText, places, (text, at) => {
        fc.pre(!text.trimStart().startsWith('<think>'));
        expect(textOf(answer(cut(encoder.encode(text), at)).pieces, 'answer')).toBe(text);
      }),
    );
  });

  test('never gives half a character: each piece is well formed, and a cut character waits', () => {
    fc.assert(
      fc.property(anyText, places, (text, at) => {
        for (const piece of answer(cut(encoder.encode(text), at)).pieces) {
          expect(piece.text).not.toBe('');
          expect(text).toContain(piece.text);
          expect(/\p{Surrogate}/u.test(piece.text)).toBe(false);
        }
      }),
    );
    const smile = encoder.encode('🙂');
    const stream = createAnswerStream(runs([smile.subarray(0, 1), smile.subarray(1, 3), smile.subarray(3)]));
    expect(stream.push(0).pieces).toEqual([]);
    expect(stream.push(1).pieces).toEqual([]);
    expect(stream.push(2).pieces).toEqual([{ kind: 'answer', text: '🙂' }]);
  });

  test('shows U+FFFD for bytes that are no character, as soon as that is certain', () => {
    const stream = createAnswerStream(runs([Uint8Array.of(0xe2, 0x82), encoder.encode('a'), Uint8Array.of(0xff)]));
    expect(stream.push(0).pieces).toEqual([]);
    expect(stream.push(1).pieces).toEqual([{ kind: 'answer', text: '\ufffda' }]);
    expect(stream.push(2).pieces).toEqual([{ kind: 'answer', text: '\ufffd' }]);
  });

  test('leaves out a character that is unfinished at the end', () => {
    const { pieces } = answer([encoder.encode('ok '), encoder.encode('🙂').subarray(0, 3)]);
    expect(textOf(pieces, 'answer')).toBe('ok ');
  });

  test('keeps a byte order mark', () => {
    expect(textOf(answer([encoder.encode('\ufeffa')]).pieces, 'answer')).toBe('\ufeffa');
  });

  test('ends before the stop string that is complete first, however the bytes are cut', () => {
    fc.assert(
      fc.property(denseText, stopStrings, places, (text, stops, at) => {
        const { pieces, stopped } = answer(cut(encoder.encode(text), at), { stopStrings: stops });
        // One character after the other: the first moment at which the text so far ends with a stop string.
        let expected = text;
        let found = false;
        for (let end = 1; end <= text.length && !found; end++) {
          const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop));
          if (ending.length === 0) continue;
          found = true;
          expected = text.slice(0, end - Math.max(...ending.map((stop) => stop.length)));
        }
        expect(textOf(pieces, 'answer')).toBe(expected);
        expect(stopped).toBe(found);
      }),
    );
  });

  test('shows no part of a stop string before it is clear that it is none', () => {
    const texts = ['Hello\nU', 'se', 'r', ':', ' x'].map((text) => encoder.encode(text));
    const stream = createAnswerStream(runs(texts), { stopStrings: ['\nUser:'] });
    expect(stream.push(0)).toEqual({ pieces: [{ kind: 'answer', text: 'Hello' }], stopped: false });
    expect(stream.push(1).pieces).toEqual([]);
    expect(stream.push(2).pieces).toEqual([]);
    expect(stream.push(3)).toEqual({ pieces: [], stopped: true });
    expect(stream.push(4)).toEqual({ pieces: [], stopped: true });
    expect(stream.finish()).toEqual([]);
  });

  test('gives what it held back when the answer ends otherwise', () => {
    const stream = createAnswerStream(runs([encoder.encode('a\nUs')]), { stopStrings: ['\nUser:'] });
    expect(stream.push(0).pieces).toEqual([{ kind: 'answer', text: 'a' }]);
    expect(stream.push(END)).toEqual({ pieces: [{ kind: 'answer', text: '\nUs' }], stopped: true });
  });

  test('shows nothing of end tokens and control tokens', () => {
    const stream = createAnswerStream(runs([encoder.encode('a')]));
    expect(stream.push(CONTROL)).toEqual({ pieces: [], stopped: false });
    expect(stream.push(END)).toEqual({ pieces: [], stopped: true });
    const other = createAnswerStream(runs([encoder.encode('a')]), { endTokens: new Set([0]) });
    expect(other.push(0)).toEqual({ pieces: [], stopped: true });
  });
});

describe('reasoning', () => {
  test.each([
    ['<think>\nhm\n</think>\n\nYes.', false, 'hm\n', 'Yes.'],
    ['\n<think>hm</think>Yes.', false, 'hm', 'Yes.'],
    ['hm</think>\n\nYes.', true, 'hm', 'Yes.'],
    ['<think>\nhm</think> Yes.', true, 'hm', 'Yes.'],
    ['<think>a</think>\n<think>b</think>c', false, 'ab', 'c'],
    ['Write <think> and </think>.', false, '', 'Write <think> and </think>.'],
    ['  indented', false, '', '  indented'],
    ['<think>never ends </thi', false, 'never ends </thi', ''],
    ['<thin', false, '', '<thin'],
    ['<think>\n\n</think>\n\nYes.', false, '', 'Yes.'],
    ['a < b', true, 'a < b', ''],
  ])('%j folds', (text, startsInReasoning, reasoning, shown) => {
    const { pieces } = answer([encoder.encode(text)], { startsInReasoning });
    expect(textOf(pieces, 'reasoning')).toBe(reasoning);
    expect(textOf(pieces, 'answer')).toBe(shown);
  });

  test('is told from the answer however the text is cut', () => {
    fc.assert(
      fc.property(tagged, places, fc.boolean(), (text, at, startsInReasoning) => {
        const whole = answer([encoder.encode(text)], { startsInReasoning }).pieces;
        const parts = answer(cut(encoder.encode(text), at), { startsInReasoning }).pieces;
        for (const kind of ['answer', 'reasoning'] as const) expect(textOf(parts, kind)).toBe(textOf(whole, kind));
      }),
    );
  });

  test('opens also where the mark is a control token', () => {
    const stream = createAnswerStream(runs([encoder.encode('hm</think>Yes')]));
    expect(stream.push(THINK).pieces).toEqual([]);
    expect(stream.push(0).pieces).toEqual([
      { kind: 'reasoning', text: 'hm' },
      { kind: 'answer', text: 'Yes' },
    ]);
  });

  test('is open where the prompt opened it', () => {
    expect(promptOpensReasoning('<|im_start|>assistant\n<think>\n')).toBe(true);
    expect(promptOpensReasoning('<|im_start|>assistant\n<think>\n\n</think>\n\n')).toBe(false);
    expect(promptOpensReasoning('<|im_start|>assistant\n')).toBe(false);
  });
});
