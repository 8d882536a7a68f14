import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readWanted } from './wanted-text.ts';

describe('what a person types into the search', () => {
  it.each([
    ['smol', { kind: 'name' }],
    ['', { kind: 'name' }],
    [' Qwen/Qwen3-0.6B-GGUF ', { kind: 'hub', repository: 'Qwen/Qwen3-0.6B-GGUF' }],
    ['https://huggingface.co/Qwen/Qwen3-0.6B-GGUF', { kind: 'hub', repository: 'Qwen/Qwen3-0.6B-GGUF' }],
    ['a/b:Q4_K_M', { kind: 'hub', repository: 'a/b', quantization: 'Q4_K_M' }],
    [
      'https://huggingface.co/Qwen/Qwen3-0.6B-GGUF/tree/v2',
      { kind: 'hub', repository: 'Qwen/Qwen3-0.6B-GGUF', revision: 'v2' },
    ],
    [
      'https://huggingface.co/a/b/resolve/v2/sub/x%20y.gguf?download=true',
      { kind: 'hub-file', repository: 'a/b', file: 'sub/x y.gguf', revision: 'v2' },
    ],
    ['https://mirror.test/a/b', { kind: 'hub', repository: 'a/b' }],
    [
      'https://mirror.test/a/b/blob/main/m.gguf',
      { kind: 'hub-file', repository: 'a/b', file: 'm.gguf', revision: 'main' },
    ],
    ['https://example.org/m.gguf', { kind: 'url', address: 'https://example.org/m.gguf' }],
    ['ftp://example.org/m.gguf', { kind: 'name' }],
  ])('%s', (typed, wanted) => {
    expect(readWanted(typed, 'https://mirror.test')).toEqual(wanted);
  });

  it('never throws, whatever is typed', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webUrl(),
          fc.string().map((s) => `https://hf.co/${s}`),
        ),
        (typed) => {
          expect(readWanted(typed, 'https://mirror.test')).toHaveProperty('kind');
        },
      ),
    );
  });
});
