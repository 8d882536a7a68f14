import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ModelError } from '../errors.ts';
import { stringTable } from '../weights/string-table.ts';
import type { Metadata } from '../weights/types.ts';
import { BYTE_TO_CODE_POINT } from './byte-alphabet.ts';
import { encodePrompt, fallbackStopStrings, fallbackStyle, renderFallback, specialText } from './chat.ts';
import { createTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';

type Entries = Record<string, Metadata extends ReadonlyMap<string, infer V> ? V : never>;

const BYTES = Array.from(BYTE_TO_CODE_POINT, (codePoint) => String.fromCodePoint(codePoint));
const PLAIN = { addSpecial: false, parseSpecial: false };
const SPECIAL = { addSpecial: true, parseSpecial: true };

function metadata(entries: Entries): Metadata {
  return new Map(Object.entries(entries));
}

function types(tokens: readonly string[], special: Record<string, number>): Int32Array {
  return Int32Array.from(tokens, (token) => special[token] ?? 1);
}

/** A small byte-level vocabulary: the bytes, three marks, a few merges. */
function bpe(entries: Entries = {}): Metadata {
  const tokens = [...BYTES, 'he', 'll', 'hell', 'hello', 'Ġw', '<|im_start|>', '<|im_end|>', '<tool>'];
  return metadata({
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': stringTable(tokens),
    'tokenizer.ggml.merges': stringTable(['h e', 'l l', 'he ll', 'hell o', 'Ġ w', 'Ã ©']),
    'tokenizer.ggml.token_type': types(tokens, { '<|im_start|>': 3, '<|im_end|>': 3, '<tool>': 4 }),
    'tokenizer.ggml.bos_token_id': 261,
    'tokenizer.ggml.eos_token_id': 262,
    ...entries,
  });
}

/** A small SentencePiece vocabulary. */
function spm(entries: Entries = {}): Metadata {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', 'a', 'b', '▁a', 'ab', '▁ab', 'aa', ''];
  const scores = [0, 0, 0, ...bytes.map(() => 0), -9, -8, -7, -3, -2, -1, -5, -10];
  return metadata({
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': stringTable(tokens),
    'tokenizer.ggml.scores': Float32Array.from(scores),
    'tokenizer.ggml.token_type': Int32Array.from(tokens, (_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1)),
    ...entries,
  });
}

function texts(tokenizer: Tokenizer, tokens: Uint32Array): string[] {
  return [...tokens].map((token) => new TextDecoder().decode(tokenizer.tokenBytes(token, true)));
}

describe('byte-level BPE', () => {
  const tokenizer = createTokenizer(bpe());

  test('merges by rank', () => {
    expect(texts(tokenizer, tokenizer.encode('hello world', PLAIN))).toEqual(['hello', ' w', 'o', 'r', 'l', 'd']);
  });

  test('gives any text back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text, PLAIN))).toBe(text);
      }),
    );
  });

  test('reads half a surrogate pair as U+FFFD', () => {
    expect(tokenizer.decode(tokenizer.encode('a\ud83db', PLAIN))).toBe('a\ufffdb');
  });

  test('writes a result of merges that is no token as its bytes', () => {
    expect([...tokenizer.encode('é', PLAIN)]).toEqual([0xc3, 0xa9]);
  });

  test('reads marks as control tokens only when asked; words that the makers added always', () => {
    const text = '<|im_start|><tool>';
    expect(tokenizer.encode(text, { addSpecial: false, parseSpecial: true })).toEqual(Uint32Array.of(261, 263));
    expect(tokenizer.encode(text, PLAIN)).toHaveLength('<|im_start|>'.length + 1);
    expect(tokenizer.encode(text, PLAIN).at(-1)).toBe(263);
  });

  test('shows control tokens only when asked', () => {
    expect(tokenizer.decode([261, 263, 262])).toBe('<tool>');
    expect(tokenizer.decode([261, 263, 262], true)).toBe('<|im_start|><tool><|im_end|>');
    expect(tokenizer.tokenBytes(99_999)).toHaveLength(0);
  });

  test('adds the beginning and the end as the file asks', () => {
    const asked = createTokenizer(bpe({ 'tokenizer.ggml.add_bos_token': true, 'tokenizer.ggml.add_eos_token': true }));
    expect([...asked.encode('he', SPECIAL)]).toEqual([261, 256, 262]);
    expect([...asked.encode('he', PLAIN)]).toEqual([256]);
    expect([...tokenizer.encode('he', SPECIAL)]).toEqual([256]);
  });

  test('knows what ends a turn: eos and tokens of known names', () => {
    const found = createTokenizer(bpe({ 'tokenizer.ggml.eos_token_id': 0, 'tokenizer.ggml.eot_token_id': 263 }));
    expect(found.endTokens).toEqual(new Set([0, 263, 262]));
  });

  test('says when the file does not tell how to cut text', () => {
    const entries = new Map(bpe());
    entries.delete('tokenizer.ggml.pre');
    expect(createTokenizer(entries).warning).toMatch(/tokenizer\.ggml\.pre/);
    expect(tokenizer.warning).toBeUndefined();
  });
});

describe('SentencePiece BPE', () => {
  const tokenizer = createTokenizer(spm());

  test('joins by score, from the left', () => {
    expect(texts(tokenizer, tokenizer.encode('ab aab', PLAIN))).toEqual([' ab', ' a', 'ab']);
  });

  test('writes what has no token as bytes', () => {
    expect(tokenizer.decode(tokenizer.encode('é🙂', PLAIN))).toBe('é🙂');
    expect(tokenizer.encode('é', PLAIN)).toEqual(Uint32Array.of(259, 3 + 0xc3, 3 + 0xa9));
  });

  test('gives any text back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('\u2581'));
        expect(tokenizer.decode(tokenizer.encode(text, PLAIN))).toBe(text);
      }),
    );
  });

  test('begins with <s> unless the file says otherwise', () => {
    expect([...tokenizer.encode('', SPECIAL)]).toEqual([1]);
    const other = createTokenizer(spm({ 'tokenizer.ggml.add_bos_token': false }));
    expect([...other.encode('', SPECIAL)]).toEqual([]);
  });

  test('puts a space first, and behind control tokens, unless the file says otherwise', () => {
    expect(texts(tokenizer, tokenizer.encode('<s>a</s>b', SPECIAL))).toEqual(['<s>', '<s>', ' a', '</s>', ' ', 'b']);
    const other = createTokenizer(spm({ 'tokenizer.ggml.add_space_prefix': false }));
    expect(texts(other, other.encode('a', PLAIN))).toEqual(['a']);
    expect(other.decode(other.encode(' a', PLAIN))).toBe(' a');
  });
});

test.each([
  ['byte-level BPE', createTokenizer(bpe({ 'tokenizer.ggml.pre': 'llama-bpe' }))],
  ['byte-level BPE with a default cut', createTokenizer(bpe({ 'tokenizer.ggml.pre': 'default' }))],
  ['byte-level BPE with words by case', createTokenizer(bpe({ 'tokenizer.ggml.pre': 'tekken' }))],
  ['SentencePiece', createTokenizer(spm())],
])('%s takes long runs of one character', (_, tokenizer) => {
  for (const character of ['a', 'A', '1', ' ', '\n', '漢', '!', '\u0301', '🙂', 'h']) {
    const text = character.repeat(100_000);
    expect(tokenizer.decode(tokenizer.encode(text, PLAIN))).toBe(text);
  }
});

test('a text longer than any context is refused', () => {
  const tokenizer = createTokenizer(bpe());
  expect(() => tokenizer.encode('a'.repeat(3 * 2 ** 20), PLAIN)).toThrow(/3145728 characters; up to 2097152/);
});

describe('a vocabulary is refused', () => {
  const without = (key: string, entries = bpe()) => {
    const rest = new Map(entries);
    rest.delete(key);
    return rest;
  };
  test.each<[string, Metadata, RegExp]>([
    ['without a model', without('tokenizer.ggml.model'), /has no vocabulary/],
    ['of an unknown kind', bpe({ 'tokenizer.ggml.model': 'bert' }), /'bert'.*gpt2.*llama.*gemma4/],
    ['without tokens', without('tokenizer.ggml.tokens'), /has no vocabulary/],
    ['with no entries', bpe({ 'tokenizer.ggml.tokens': stringTable([]) }), /has no vocabulary/],
    ['without merges', without('tokenizer.ggml.merges'), /has no merges/],
    ['that cuts in an unknown way', bpe({ 'tokenizer.ggml.pre': 'martian' }), /'martian'.*llama-bpe.*qwen2/],
    ['that lacks letters', bpe({ 'tokenizer.ggml.tokens': stringTable(['a', 'b', '<|im_end|>']) }), /lacks.*'c' 'd'/],
    ['with too few types', bpe({ 'tokenizer.ggml.token_type': Int32Array.of(1, 2) }), /2 entries for 264 tokens/],
    ['with too few scores', spm({ 'tokenizer.ggml.scores': Float32Array.of(1) }), /1 entries for/],
    ['with tokens that are no texts', bpe({ 'tokenizer.ggml.tokens': Int32Array.of(1) }), /should be a list of texts/],
    ['with a flag that is none', bpe({ 'tokenizer.ggml.add_bos_token': 'yes' }), /true or false/],
    [
      'that asks for a beginning it does not have',
      without('tokenizer.ggml.bos_token_id', bpe({ 'tokenizer.ggml.add_bos_token': true })),
      /a beginning token/,
    ],
  ])('%s', (_, entries, message) => {
    expect(() => createTokenizer(entries)).toThrow(ModelError);
    expect(() => createTokenizer(entries)).toThrow(message);
  });

  test('not for a character without token where there is one for the unknown', () => {
    const tokens = ['<unk>', '<s>', '</s>', '▁', 'a'];
    const lacking = createTokenizer(
      metadata({ 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.tokens': stringTable(tokens) }),
    );
    expect([...lacking.encode('ab', PLAIN)]).toEqual([3, 4, 0]);
  });
});

describe('prompts', () => {
  const tokenizer = createTokenizer(bpe({ 'tokenizer.ggml.add_bos_token': true }));

  test('begin with the beginning token once', () => {
    expect([...encodePrompt(tokenizer, 'he')]).toEqual([261, 256]);
    expect([...encodePrompt(tokenizer, '<|im_start|>he')]).toEqual([261, 256]);
    expect([...encodePrompt(createTokenizer(bpe()), 'he')]).toEqual([256]);
  });

  test('can be made without a template', () => {
    const turns = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ] as const;
    expect(fallbackStyle(tokenizer)).toBe('chatml');
    expect(renderFallback('chatml', turns, true)).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
    expect(fallbackStyle(createTokenizer(spm()))).toBe('plain');
    expect(renderFallback('plain', turns, true)).toBe('Be brief.\nUser: Hi\nAssistant:');
    expect(renderFallback('plain', turns, false)).toBe('Be brief.\nUser: Hi\n');
    expect(fallbackStopStrings('plain')).toEqual(['\nUser:']);
  });

  test('tell templates the texts of the special tokens', () => {
    expect(specialText(tokenizer, tokenizer.bosToken)).toBe('<|im_start|>');
    expect(specialText(tokenizer, undefined)).toBe('');
  });
});
