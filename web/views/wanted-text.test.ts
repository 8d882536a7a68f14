import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readWanted } from './wanted-text.ts';

describe('what a person types into the search', () => {
  it.each([
    ['smol', { kind: 'name' }],
    ['', { kind: 'name' }],
    [' Qwen/Qwen3-0.6B-GGUF ', { kind: 'hub', repository: 'Qwen/Qwen3-0.6B-GGUF' }],
    ['https://huggingface.co/Qwen/Qwen3-0.6B-GGUF', { kind: 'hub', repository: 'Qwen/Qwen3-0.6B-GGUF' }],
    ['https://huggingface.co/Qwen/Qwen3-0.6B-GGUF/tree/main', { kind: 'hub', repository: 'Qwen/Qwen3-0.6B-GGUF' }],
    [
      'https://huggingface.co/a/b/resolve/main/sub/x%20y.gguf?download=true',
      { kind: 'hub-file', repository: 'a/b', file: 'sub/x y.gguf' },
    ],
    ['https://example.org/m.gguf', { kind: 'url', address: 'https://example.org/m.gguf' }],
    ['ftp://example.org/m.gguf', { kind: 'name' }],
  ])('%s', (typed, wanted) => {
    expect(readWanted(typed)).toEqual(wanted);
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
          expect(readWanted(typed)).toHaveProperty('kind');
        },
      ),
    );
  });
});
