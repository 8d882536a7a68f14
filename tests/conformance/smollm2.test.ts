import { afterAll, describe, expect, it } from 'vitest';
import { LlamaReference } from '../reference/llama.ts';
import { cachedF32Twin } from '../reference/to-f32.ts';
import { ensureSmollm2 } from '../setup/smollm2.ts';
import { failuresOf, TOLERANCES } from './compare.ts';
import { conform, SHORT_STEPS, scoreReference } from './conform.ts';
import { textSequences } from './sequences.ts';
import { Shoal } from './shoal.ts';

const PROMPTS = [
  'The capital of France is',
  '<|im_start|>user\nName three colors of the rainbow.<|im_end|>\n<|im_start|>assistant\n',
  'def fibonacci(n):',
];
const ANSWER_TOKENS = 64;

const found = await ensureSmollm2();
const model = 'skipped' in found ? '' : found.file;
const shoal = 'skipped' in found ? found : await Shoal.start();
const reference = 'skipped' in shoal ? shoal : await LlamaReference.start();
const reason = 'skipped' in reference ? ` (skipped: ${reference.skipped})` : '';

describe.skipIf(reason !== '')(`SmolLM2${reason}`, async () => {
  if (!(shoal instanceof Shoal) || !(reference instanceof LlamaReference)) return;
  await reference.open(await cachedF32Twin(model));

  it('answers three prompts in f32 with the very tokens of exact arithmetic', async () => {
    const engine = await shoal.open(model, 'f32');
    try {
      for (const prompt of PROMPTS) {
        const tokens = await reference.tokenize(prompt);
        const wanted = await reference.greedy(tokens, ANSWER_TOKENS);
        const said = await engine.greedy(tokens, wanted.length);
        expect(await reference.detokenize(said)).toBe(await reference.detokenize(wanted));
        expect(said).toEqual(wanted);
      }
    } finally {
      await engine.close();
    }
  });

  it.skipIf(!shoal.storages.includes('f16'))('conforms on real text, teacher-forced, in f16', async () => {
    const sequences = await textSequences((text) => reference.tokenize(text));
    const wanted = scoreReference(reference, sequences);
    const engine = await shoal.open(model, 'f16');
    const comparison = await conform(engine, wanted, sequences, 'f16', SHORT_STEPS);
    expect(comparison.positions).toBeGreaterThanOrEqual(192);
    expect(failuresOf(comparison, TOLERANCES.f16)).toEqual([]);
  });
});

afterAll(async () => {
  if (reference instanceof LlamaReference) await reference.close();
  if (shoal instanceof Shoal) shoal.close();
});
