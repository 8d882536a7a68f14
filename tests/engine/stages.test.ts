import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bucketFor } from '../../worker/generation/chunks.ts';
import type { Gpu } from '../../worker/gpu/device.ts';
import { STEP_WORDS, type StepRow, writeStep } from '../../worker/gpu/step.ts';
import type { Stage } from '../../worker/models/stage.ts';
import { openEnvironment } from '../kernels/open.ts';
import { openStage } from './open.ts';
import { stories, storiesReason } from './stories.ts';

const reason = await storiesReason();

/** "Once upon a time, there was a little girl" of stories260K. */
const TOKENS = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 399];
const DECODED = 12;

describe.skipIf(reason !== '')(`a model cut in two stages${reason}`, () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openEnvironment('driver', 'f32');
  });
  afterAll(() => gpu.close());

  it.each([1, 3])('gives the logits of one stage, bit for bit, cut after layer %i', async (cut) => {
    const { stage: whole } = await openStage(gpu, stories, { contextTokens: 64 });
    const first = await openStage(gpu, stories, {
      contextTokens: 64,
      range: () => ({ firstLayer: 0, endLayer: cut, embedding: true, head: false }),
    });
    const second = await openStage(gpu, stories, {
      contextTokens: 64,
      range: (spec) => ({ firstLayer: cut, endLayer: spec.blocks.length, embedding: false, head: true }),
    });
    const one = new Pipeline(gpu, [whole]);
    const two = new Pipeline(gpu, [first.stage, second.stage]);
    let next = TOKENS;
    let position = 0;
    for (let step = 0; step < DECODED; step++) {
      const expected = await one.step(next, position);
      const actual = await two.step(next, position);
      expect(actual).toEqual(expected);
      position += next.length;
      next = [expected.indexOf(Math.max(...expected))];
    }
    for (const stage of [whole, first.stage, second.stage]) stage.free();
  });
});

/** Stages in one process, one after the other: hidden states go from each to the next. */
class Pipeline {
  readonly #gpu: Gpu;
  readonly #stages: readonly Stage[];

  constructor(gpu: Gpu, stages: readonly Stage[]) {
    this.#gpu = gpu;
    this.#stages = stages;
    for (const stage of stages) {
      const pages = Uint32Array.from({ length: stage.plan.pagesPerSlot }, (_, i) => i);
      gpu.device.queue.writeBuffer(stage.buffer('pages'), 0, pages);
    }
  }

  /** Logits after the last of `tokens`, of which the first is at `position`. */
  async step(tokens: readonly number[], position: number): Promise<Float32Array> {
    const { device } = this.#gpu;
    const rows: StepRow[] = tokens.map((token, i) => ({
      token,
      position: position + i,
      slot: 0,
      fromSampled: false,
      wantsLogits: i === tokens.length - 1,
    }));
    const bucket = bucketFor(rows.length);
    const words = new Uint32Array(STEP_WORDS);
    writeStep(words, rows, bucket);
    let before: Stage | undefined;
    for (const stage of this.#stages) {
      const logitRows = stage.range.head ? 1 : 0;
      await stage.prepare(bucket, logitRows, 'logits');
      device.queue.writeBuffer(stage.buffer('step'), 0, words);
      const encoder = device.createCommandEncoder();
      if (before !== undefined) {
        const hidden = stage.buffer('hidden');
        encoder.copyBufferToBuffer(before.buffer('hidden'), 0, hidden, 0, hidden.size);
      }
      const pass = encoder.beginComputePass();
      stage.program(bucket, logitRows, 'logits').encode(pass);
      pass.end();
      device.queue.submit([encoder.finish()]);
      before = stage;
    }
    const last = this.#stages.at(-1) as Stage;
    const bytes = last.spec.vocabulary * 4;
    const readback = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(last.buffer('logits'), 0, readback, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ);
    const logits = new Float32Array(readback.getMappedRange().slice(0));
    readback.destroy();
    return logits;
  }
}
