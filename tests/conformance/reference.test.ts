import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LlamaReference } from '../reference/llama.ts';
import { cachedF32Twin } from '../reference/to-f32.ts';
import { ensureSmollm2 } from '../setup/smollm2.ts';

const folder = process.env.SHOAL_TEST_MODELS;
const stories = path.join(folder ?? '', 'stories260K.f32.gguf');
const noStories = existsSync(stories)
  ? ''
  : ` (skipped: SHOAL_TEST_MODELS names no folder with ${path.basename(stories)})`;
const smol = await ensureSmollm2();
const noSmol = 'skipped' in smol ? ` (skipped: ${smol.skipped})` : '';
const started = await LlamaReference.start();
const reason = 'skipped' in started ? started.skipped : '';
const REAL_MODEL_TIMEOUT_MS = 240_000;

describe.skipIf(reason !== '')(`llama.cpp as the reference${reason && ` (skipped: ${reason})`}`, () => {
  const reference = started as LlamaReference;
  afterAll(() => reference.close());

  it.skipIf(noStories !== '')(`tells the story that stories260K is known for${noStories}`, async () => {
    await reference.open(stories);
    const tokens = await reference.greedy(await reference.tokenize('Once upon a time'), 60);
    expect(await reference.detokenize(tokens)).toMatch(
      /^, there was a little girl named Lily\. She loved to play outside in the park\./,
    );
  });

  it.skipIf(noStories !== '')(
    `gives logits whose largest is the greedy token, at every position${noStories}`,
    async () => {
      await reference.open(stories);
      const prompt = await reference.tokenize('Once upon a time');
      const greedy = await reference.greedy(prompt, 24);
      const logits = await reference.logits([...prompt, ...greedy.slice(0, -1)]);
      const best = logits.map((row) => row.indexOf(Math.max(...row)));
      expect(logits.every((row) => row.length === 512)).toBe(true);
      expect(best.slice(prompt.length - 1)).toEqual(greedy);
    },
  );

  it.skipIf(noSmol !== '')(
    `answers as exact arithmetic does on the F32 twin of SmolLM2${noSmol}`,
    async () => {
      await reference.open(await cachedF32Twin('file' in smol ? smol.file : ''));
      const answers: Record<string, string> = {
        'The capital of France is': ' Paris.\n\nThe answer is: 2018-01-22 12:12:53.',
        '<|im_start|>user\nName three colors of the rainbow.<|im_end|>\n<|im_start|>assistant\n':
          '1. Red\n2. Blue\n3. Yellow',
        'def fibonacci(n):':
          '\n    if n == 0:\n        return 1\n    return n * fibonacci(n - 1)\n\n# Test the function\nprint(fibonacci(10))  # Output: 337\n',
      };
      for (const [prompt, answer] of Object.entries(answers)) {
        const tokens = await reference.tokenize(prompt);
        const said = await reference.detokenize(await reference.greedy(tokens, 64));
        expect(said.slice(0, answer.length)).toBe(answer);
      }
    },
    REAL_MODEL_TIMEOUT_MS,
  );
});
