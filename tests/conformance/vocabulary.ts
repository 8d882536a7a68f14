import type { WriterMetadata } from '../setup/gguf-writer.ts';
import type { Family } from './families.ts';

const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const BYTE = 6;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** A whole vocabulary of the family's kind, which llama.cpp loads: bytes first, then pairs and triples of letters. */
export function vocabularyOf(family: Family): WriterMetadata {
  return family.vocabulary === 'spm' ? sentencePiece(family.vocabularySize) : byteLevel(family);
}

function sentencePiece(size: number): WriterMetadata {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', ...LETTERS, ...words(['▁', ...LETTERS])].slice(0, size);
  const types = Int32Array.from(tokens, (_, i) => {
    if (i === 0) return UNKNOWN;
    return i < 3 ? CONTROL : i < 259 ? BYTE : NORMAL;
  });
  return {
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.pre': 'default',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.scores': Float32Array.from(tokens, (_, i) => (i < 259 ? 0 : 259 - i)),
    'tokenizer.ggml.token_type': types,
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.unknown_token_id': 0,
    'tokenizer.ggml.add_bos_token': true,
    'tokenizer.ggml.add_eos_token': false,
  };
}

const PRE_TOKENIZERS: Readonly<Record<string, string>> = {
  'Llama 3.2': 'llama-bpe',
  SmolLM2: 'smollm',
  Mistral: 'tekken',
  Qwen2: 'qwen2',
  'Qwen2.5': 'qwen2',
  Qwen3: 'qwen2',
};

function byteLevel(family: Family): WriterMetadata {
  const control = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
  const merged = words(['Ġ', ...LETTERS]).slice(0, family.vocabularySize - control.length - 256);
  const tokens = [...control, ...byteCharacters(), ...merged];
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': PRE_TOKENIZERS[family.name] ?? 'default',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': Int32Array.from(tokens, (_, i) => (i < control.length ? CONTROL : NORMAL)),
    'tokenizer.ggml.merges': merged.map((word) => `${word.slice(0, -1)} ${word.slice(-1)}`),
    'tokenizer.ggml.bos_token_id': 0,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.add_bos_token': false,
  };
}

/** Pairs, then triples, each made of a shorter word and one letter. */
function words(first: readonly string[]): string[] {
  const pairs = first.flatMap((head) => [...LETTERS].map((letter) => head + letter));
  return [...pairs, ...pairs.flatMap((head) => [...LETTERS].map((letter) => head + letter))];
}

/** GPT-2's printable character of each byte. */
function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : next++);
  });
}
