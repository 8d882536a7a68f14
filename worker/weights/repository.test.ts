import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRepository } from './repository.ts';

const MIRROR = 'https://mirror.test/hf';

describe('what a person pasted for a repository', () => {
  it.each([
    [' Qwen/Qwen3-0.6B-GGUF ', { repository: 'Qwen/Qwen3-0.6B-GGUF' }],
    ['a/b:Q4_K_M', { repository: 'a/b', quantization: 'Q4_K_M' }],
    ['hf.co/a/b:Q4_K_M', { repository: 'a/b', quantization: 'Q4_K_M' }],
    ['https://huggingface.co/a/b/', { repository: 'a/b' }],
    ['https://huggingface.co/a/b/tree/main', { repository: 'a/b', revision: 'main' }],
    ['https://huggingface.co/a/b/tree/refs%2Fpr%2F1/sub', { repository: 'a/b', revision: 'refs/pr/1' }],
    ['https://huggingface.co/a/b/discussions/7', { repository: 'a/b' }],
    [
      'https://huggingface.co/a/b/blob/v2/s/m%20x.gguf?download=true',
      { repository: 'a/b', revision: 'v2', file: 's/m x.gguf' },
    ],
    ['https://mirror.test/hf/a/b/resolve/main/m.gguf', { repository: 'a/b', revision: 'main', file: 'm.gguf' }],
    ['mirror.test/hf/a/b', { repository: 'a/b' }],
  ])('%s', (text, reference) => {
    expect(parseRepository(text, MIRROR)).toEqual(reference);
  });

  it.each([
    '',
    'one',
    'https://elsewhere.test/a/b',
    'a b/c',
    '../x',
    'a/b/c/d',
    'https://huggingface.co/a',
    'https://huggingface.co/datasets/a/b',
    'https://mirror.test/a/b',
    'https://huggingface.co/a/b/blob/main/%E0%A4%A',
  ])('%s is none', (text) => {
    expect(parseRepository(text, MIRROR)).toBeUndefined();
  });

  it('never throws, and never leads out of a repository', () => {
    const text = fc.oneof(
      fc.string(),
      fc.webUrl(),
      fc.string().map((rest) => `https://hf.co/${rest}`),
    );
    fc.assert(
      fc.property(text, (typed) => {
        const found = parseRepository(typed, MIRROR);
        if (found) expect(found.repository).toMatch(/^[\w.-]+\/[\w.-]+$/);
      }),
    );
  });
});
