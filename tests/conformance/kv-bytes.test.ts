import { open } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { KvType } from '../../worker/gpu/kv.ts';
import { createTokenizer } from '../../worker/text/index.ts';
import { readGgufHeader } from '../../worker/weights/gguf.ts';
import { noStoriesReason, stories } from '../engine/model.ts';
import { readRange } from '../reference/gguf-file.ts';
import { compareLogits, TOLERANCES } from './compare.ts';
import { Shoal } from './shoal.ts';

/** Mean divergence of keys and values in 8 bits from those in f16, nats. */
const MOST_KL = 1e-3;
/** Below this nothing would have been rounded. */
const LEAST_KL = 1e-9;
/** Rows of a step, sequence by sequence: single rows, and tiles. */
const ROWS_A_STEP = [16, 32];

/** What a model of stories can go on with: of other texts it knows nothing, and small changes turn what it says. */
const STORIES = [
  `Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red
ball. She wanted to play with it, but it was too high. Lily asked her mom for help. Her mom said, "Of course, sweetie. Let
me get it for you." Lily was so happy and said, "Thank you, mommy!" They played with the ball all day.`,
  `One day, a boy named Tim went to the farm with his dad. He saw a small dog and a big cow. The dog was sad because it
could not find its toy. Tim looked under the tree and found the toy. "Here you are!" he said. The dog was happy and ran
around him. Then they all went home and had soup for dinner. Tim was tired and went to bed.`,
].map((story) => story.replaceAll('\n', ' '));

const shoal = await Shoal.start();
const reason = 'skipped' in shoal ? ` (skipped: ${shoal.skipped})` : noStoriesReason;

describe.skipIf(reason !== '')(`keys and values in 8 bits${reason}`, () => {
  it('change what stories260K says next by less than 0.001 nats', async () => {
    if (!(shoal instanceof Shoal)) return;
    const storage = shoal.storages.includes('f16') ? 'f16' : 'f32';
    const sequences = await storySequences(stories);
    const logits = async (kv: KvType) => {
      const engine = await shoal.open(stories, storage, undefined, kv);
      try {
        const rows: Float32Array[] = [];
        for (const [i, tokens] of sequences.entries()) rows.push(...(await engine.logits(tokens, ROWS_A_STEP[i])));
        return rows;
      } finally {
        await engine.close();
      }
    };
    const { kl, positions } = compareLogits(await logits('storage'), await logits('q8'), TOLERANCES[storage]);
    expect(positions).toBeGreaterThanOrEqual(192);
    expect(kl).toBeLessThan(MOST_KL);
    expect(kl).toBeGreaterThan(LEAST_KL);
  });
});

afterAll(() => {
  if (shoal instanceof Shoal) shoal.close();
});

/** The stories in the tokens of the file's own tokenizer. */
async function storySequences(path: string): Promise<number[][]> {
  const file = await open(path);
  try {
    const read = (start: number, end: number) => readRange(file, start, end);
    const { metadata } = await readGgufHeader(read, (await file.stat()).size, new AbortController().signal);
    const tokenizer = createTokenizer(metadata);
    return STORIES.map((story) => [...tokenizer.encode(story, { addSpecial: true, parseSpecial: false })]);
  } finally {
    await file.close();
  }
}
