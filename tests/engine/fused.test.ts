import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scoreTokens } from '../../worker/generation/score.ts';
import type { Gpu } from '../../worker/gpu/device.ts';
import type { Encoding } from '../conformance/checkpoints.ts';
import type { Family } from '../conformance/families.ts';
import { openEnvironment } from '../kernels/open.ts';
import { modelOf, noGpuReason } from './model.ts';
import { openStage } from './open.ts';

const reason = await noGpuReason();

const TOKENS = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376];
/** Logits have a deviation of some units; sums of f32 in other orders differ by little. */
const DIFFERENCE = 2e-3;
const SIZE = { hiddenSize: 64, heads: 4, kvHeads: 2, headSize: 16, feedForward: 160 };

/** What the first products of attention have to do beside multiplying, and what they cannot do in one kernel. */
const LAYERS = 2;
/**
 * And how many kernels a step of one row takes: the embedding and the first norm, then six a layer; where attention is not
 * fused, nine for it, and a norm before the three of feed-forward.
 */
const VARIANTS: readonly (readonly [string, Encoding, Partial<Family>, Partial<typeof SIZE>, number])[] = [
  ['biases', 'F32', { biases: true, architecture: 'qwen2' }, {}, 2 + 6 * LAYERS],
  ['heads that are no eights', 'F32', {}, { headSize: 20 }, 1 + 12 * LAYERS],
];

describe.skipIf(reason !== '')(`a layer in few kernels${reason}`, () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openEnvironment('driver', 'f32');
  });
  afterAll(() => gpu.close());

  it.each(VARIANTS)('says what a layer in many kernels says: %s', async (_, encoding, options, size, kernels) => {
    const gguf = modelOf(encoding, { ...SIZE, ...size }, { ...options, layers: LAYERS });
    const { stage } = await openStage(gpu, gguf, { contextTokens: 64 });
    expect(stage.program(1, 0).dispatches).toHaveLength(kernels);
    const many = await scoreTokens(stage, TOKENS, 8);
    const alone = await scoreTokens(stage, TOKENS, 1);
    stage.free();
    for (const [i, logits] of alone.entries()) {
      const worst = logits.reduce(
        (most, value, n) => Math.max(most, Math.abs(value - (many[i]?.[n] ?? Number.NaN))),
        0,
      );
      expect(worst).toBeLessThan(DIFFERENCE);
    }
  });
});
