import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PRE_TOKENIZER_NAMES } from '../../worker/text/pretokenizers.ts';
import { createTokenizer } from '../../worker/text/tokenizer.ts';
import { ensureReference, importReference } from '../setup/reference.mjs';
import { metadataOf } from './gguf-metadata.ts';
import { ensureLlamaModels } from './llama-sources.ts';

/** Beside llama.cpp's own vectors: random texts, on which llama.cpp itself is asked. */
const TEXTS = 120;
const PIECES = 24;
const SPELLED = 300;

/** What texts are made of: what the expressions of pre-tokenizers tell apart. */
const PARTS = [
  ...[
    "'s",
    "'T",
    "'Re",
    "'ll",
    "'",
    'ſ',
    "d'",
    'a',
    'b',
    'Hello',
    'WORLD',
    'camelCase',
    'naïve',
    'ÉCOLE',
    'Été',
    'ß',
    'İ',
  ],
  ...[
    'нещо',
    'Привет',
    'Ωmega',
    'ǅ',
    'ʰ',
    'ª',
    'א',
    'שלום',
    'हिन्दी',
    'ไทย',
    'កាន់',
    '漢字',
    'ひらがな',
    'カタカナ',
    '한국어',
  ],
  ...['e\u0301', '\u0301', '\u0308\u0301', 'ア\u3099', '1', '12', '1234567', '٣٤٥', '²', '½', 'Ⅳ', '一二', '०१'],
  ...[
    '!',
    '?!',
    '...',
    '"',
    '(',
    ')]',
    '{',
    '}',
    '/',
    '//',
    '\\',
    '-',
    '—',
    '_',
    '#',
    '@',
    '&',
    '*',
    '+',
    '<',
    '=',
    '>',
    '^',
  ],
  ...[
    '`',
    '|',
    '~',
    '$',
    '€',
    '£',
    '©',
    '°',
    '，',
    '。',
    '！',
    '～',
    '‘',
    '“',
    '…',
    '•',
    '«',
    '🙂',
    '👨‍👩‍👧',
    '🇫🇷',
    '❤️',
    '\ufffd',
  ],
  ...[
    ' ',
    ' ',
    ' ',
    '  ',
    '   ',
    '\t',
    '\n',
    '\n\n',
    '\r\n',
    '\r',
    '\v',
    '\f',
    '\u0085',
    '\u00a0',
    '\u2003',
    '\u2028',
    '\u3000',
  ],
  ...[
    '\ufeff',
    '\u200b',
    '\u200d',
    '\u0000',
    '\u0007',
    '\u00ad',
    '▁',
    '<|endoftext|>',
    '<s>',
    '</s>',
    '<0x0A>',
    '<|im_end|>',
  ],
];

interface Llama {
  tokenize(text: string, special: boolean): number[];
  isEogToken(token: number): boolean;
  detokenize(tokens: readonly number[], special: boolean): string;
  readonly tokens: { readonly bos: number | null; readonly shouldPrependBosToken: boolean };
  dispose(): Promise<void>;
}

const models = await ensureLlamaModels();
const reference = await ensureReference();
const folder = 'dir' in models ? models.dir : '';

const VOCABULARIES = ['gemma-4', 'llama-spm', 'phi-3', 'baichuan', 'qwen2', 'llama-bpe', 'gpt-neox', 'command-r'];
const CASES = [
  ...PRE_TOKENIZER_NAMES.filter((name) => name !== 'gemma4').map((name) => ['gpt-2', name] as const),
  ...VOCABULARIES.map((name) => [name, ''] as const),
];

describe.skipIf('skipped' in models)(`llama.cpp's tokens${'skipped' in models ? ` (${models.skipped})` : ''}`, () => {
  let load: (file: string) => Promise<Llama>;
  let scratch = '';

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'shoal-tokens-'));
    const { getLlama, LlamaLogLevel } = await importReference(
      'dir' in reference ? reference.dir : '',
      'node-llama-cpp',
    );
    const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: LlamaLogLevel.disabled });
    load = (modelPath) => llama.loadModel({ modelPath, vocabOnly: true });
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  test.each(CASES)('%s %s', async (vocabulary, pre) => {
    let file = path.join(folder, `ggml-vocab-${vocabulary}.gguf`);
    if (pre !== '') {
      const changed = withPreTokenizer(await readFile(file), pre);
      file = path.join(scratch, `${pre}.gguf`);
      await writeFile(file, changed);
    }
    const tokenizer = createTokenizer(await metadataOf(file));
    const llama = await load(file);
    const random = numbers(pre.length * 1000 + vocabulary.length);
    for (let i = 0; i < TEXTS; i++) {
      const length = 1 + random(PIECES);
      const text = Array.from({ length }, () => PARTS[random(PARTS.length)]).join('');
      const parseSpecial = i % 2 === 0;
      const tokens = tokenizer.encode(text, { addSpecial: false, parseSpecial });
      expect([...tokens], JSON.stringify(text)).toEqual(llama.tokenize(text, parseSpecial));
    }
    await llama.dispose();
  });

  test.each(VOCABULARIES)('%s ends, begins and spells its tokens alike', async (vocabulary) => {
    const file = path.join(folder, `ggml-vocab-${vocabulary}.gguf`);
    const tokenizer = createTokenizer(await metadataOf(file));
    const llama = await load(file);
    const all = Array.from({ length: tokenizer.size }, (_, token) => token);
    expect([...tokenizer.endTokens].sort((a, b) => a - b)).toEqual(all.filter((token) => llama.isEogToken(token)));
    expect(tokenizer.bosToken ?? null).toBe(llama.tokens.bos);
    expect(tokenizer.addsBos).toBe(llama.tokens.shouldPrependBosToken);
    const random = numbers(vocabulary.length);
    for (let i = 0; i < SPELLED; i++) {
      // two differences of llama.cpp's are meant: it takes blanks away before punctuation, and names what is no byte
      const token = random(tokenizer.size);
      const spelled = llama.detokenize([token], true);
      if (spelled.includes('[UNK_BYTE_')) continue;
      expect(tokenizer.decode([token], true).replaceAll(' ', ''), String(token)).toBe(spelled.replaceAll(' ', ''));
    }
    await llama.dispose();
  });
});

/** The file with another value of `tokenizer.ggml.pre`: a vocabulary alone has no tensors whose places would move. */
function withPreTokenizer(file: Buffer, name: string): Buffer {
  const key = Buffer.from('tokenizer.ggml.pre');
  const at = file.indexOf(key) + key.length + 4;
  const length = Number(file.readBigUInt64LE(at));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(name.length));
  return Buffer.concat([file.subarray(0, at), size, Buffer.from(name), file.subarray(at + 8 + length)]);
}

/** Mulberry32: integers below a bound, the same each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
