import { expect, it } from 'vitest';
import type { ModelSummary } from '../api.ts';
import { createTokenizer } from '../text/index.ts';
import { stringTable } from '../weights/string-table.ts';
import type { GgufArray, GgufScalar } from '../weights/types.ts';
import { stageShape } from './load-model.ts';
import { loadedModel } from './summary.ts';

/** A byte-level vocabulary, with what its file says of how text is cut into words. */
function tokenizer(entries: Record<string, GgufScalar> = {}) {
  const printable = [...range(33, 126), ...range(161, 172), ...range(174, 255)];
  const letters = [...printable, ...range(256, 256 + 256 - printable.length - 1)].map((code) =>
    String.fromCodePoint(code),
  );
  const metadata: Record<string, GgufScalar | GgufArray> = {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.tokens': stringTable(letters),
    'tokenizer.ggml.merges': stringTable([]),
    ...entries,
  };
  return createTokenizer(new Map(Object.entries(metadata)));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

it('a model whose vocabulary is read by guess says so when it is ready', () => {
  const summary = { name: 'Old file' } as ModelSummary;
  const shape = stageShape(4096, 'f16');
  const guessed = loadedModel(summary, { shape, tokenizer: tokenizer() }, 1);
  expect(guessed).toMatchObject({ summary, contextTokens: 4096, sessions: 1, storage: 'f16', allocatedBytes: 1 });
  expect(guessed.warning).toMatch(/tokenizer\.ggml\.pre/);
  const known = loadedModel(summary, { shape, tokenizer: tokenizer({ 'tokenizer.ggml.pre': 'qwen2' }) }, 1);
  expect(known).not.toHaveProperty('warning');
});
