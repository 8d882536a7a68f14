import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../worker/generation/engine.ts';
import { Pace } from '../../worker/generation/pace.ts';
import type { TokenRequest } from '../../worker/generation/run.ts';
import { StepRunner } from '../../worker/generation/steps.ts';
import type { Gpu } from '../../worker/gpu/device.ts';
import type { SampledToken, SamplerParameters } from '../../worker/gpu/sampler.ts';
import { createTokenizer, type Tokenizer } from '../../worker/text/index.ts';
import type { Encoding } from '../conformance/checkpoints.ts';
import type { Family } from '../conformance/families.ts';
import { openEnvironment } from '../kernels/open.ts';
import { PLAIN } from '../kernels/sampling.ts';
import { LAYERS, model, modelOf, noGpuReason, noStoriesReason, shortOfGreedy, stories } from './model.ts';
import { openStage } from './open.ts';

const reason = await noGpuReason();

const GREEDY: SamplerParameters = { ...PLAIN, temperature: 0 };
/** What llama.cpp says in float32 to "Once upon a time". */
const STORY =
  ', there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.';

/** Checkpoints in which the parts of the memory weigh differently. */
const VARIANTS: Readonly<Partial<Record<Encoding, Partial<Family>>>> = {
  F32: {},
  F16: { layers: 2, tied: false },
  Q8_0: { layers: 2 },
  Q4_0: { layers: 2, biases: true, architecture: 'qwen2' },
  Q4_K_M: { layers: 3, tied: false, vocabularySize: 1003 },
  Q6_K: { layers: 1, queryKeyNorm: true, architecture: 'qwen3' },
};
const SHAPES_BYTES = 1024;
const ENCODINGS = Object.keys(VARIANTS) as Encoding[];

describe.skipIf(reason !== '')(`the engine${reason}`, () => {
  let gpu: Gpu;
  let engine: Engine;
  let tokenizer: Tokenizer;
  const open = async (
    options: { contextTokens?: number; sessions?: number } = {},
    gguf: string | Uint8Array = model,
  ) => {
    const opened = await openStage(gpu, gguf, { contextTokens: 256, sessions: 2, ...options });
    engine = new Engine(opened.stage, opened.shape.contextTokens, opened.shape.slots);
    tokenizer = createTokenizer(opened.checkpoint.metadata);
    return opened;
  };
  const encode = (text: string) => [...tokenizer.encode(text, { addSpecial: true, parseSpecial: false })];
  const ask = async (text: string, options: Partial<TokenRequest> = {}) => {
    const tokens: number[] = [];
    const run = await engine.generate({
      conversation: text,
      tokens: encode(text),
      sampler: GREEDY,
      maxTokens: 40,
      signal: new AbortController().signal,
      onToken: ({ token }) => {
        tokens.push(token);
        return false;
      },
      ...options,
    });
    return { run, tokens, text: tokenizer.decode(tokens) };
  };

  beforeAll(async () => {
    gpu = await openEnvironment('driver', 'f32');
  });
  afterEach(() => engine.close());
  afterAll(() => gpu.close());

  it('says what exact arithmetic says', async () => {
    await open();
    const { tokens, run } = await ask('Once upon a time', { maxTokens: 48 });
    expect(run.finish).toBe('max-tokens');
    expect(run.answerTokens).toBe(48);
    const short = shortOfGreedy(encode('Once upon a time'), tokens);
    expect(short).toHaveLength(48);
    // float32 may choose otherwise only where two tokens are as good as equal; logits have a deviation of 2.5
    expect(Math.max(...short)).toBeLessThan(1e-3);
    expect(new Set(tokens).size).toBeGreaterThan(5);
  });

  it.skipIf(noStoriesReason !== '')(`writes the story that llama.cpp writes${noStoriesReason}`, async () => {
    await open({}, stories);
    const { text } = await ask('Once upon a time', { maxTokens: 48 });
    expect(text.startsWith(STORY)).toBe(true);
  });

  it('gives two sessions that decode together the tokens that each gets alone', async () => {
    await open();
    const alone = [await ask('Once upon a time'), await ask('The dog')];
    engine.close();
    await open();
    const together = await Promise.all([ask('Once upon a time'), ask('The dog')]);
    expect(together.map(({ tokens }) => tokens)).toEqual(alone.map(({ tokens }) => tokens));
  });

  it('lists the likeliest tokens to whoever asks for them, also beside one who does not', async () => {
    await open();
    const listed = async (conversation: string, topLogProbs: number) => {
      const tokens: SampledToken[] = [];
      const onToken = (sampled: SampledToken) => tokens.push(sampled) < 0;
      await ask('Once upon a time', { conversation, sampler: { ...GREEDY, topLogProbs }, maxTokens: 6, onToken });
      return tokens;
    };
    const [none, three, all] = await Promise.all([listed('none', 0), listed('three', 3), listed('all', 20)]);
    expect(none.map(({ top }) => top.length)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(three.map(({ top }) => top)).toEqual(all.map(({ top }) => top.slice(0, 3)));
    for (const [i, { token, logProb, top }] of all.entries()) {
      expect(top).toHaveLength(20);
      expect(top[0]).toEqual({ token, logProb });
      expect(none[i]).toMatchObject({ token, logProb, finite: true });
    }
  });

  it('computes again only what differs from what it has', async () => {
    await open();
    const first = await ask('Once upon a time', { conversation: 'one' });
    const longer = [...encode('Once upon a time'), ...first.tokens.slice(0, 20), ...encode(' The cat').slice(1)];
    const again = await ask('', { conversation: 'one', tokens: longer });
    expect(again.run.reusedTokens).toBe(encode('Once upon a time').length + 20);
    const fresh = await ask('', { conversation: 'two', tokens: longer });
    expect(fresh.run.reusedTokens).toBe(0);
    expect(again.tokens).toEqual(fresh.tokens);
  });

  it('stops where the caller says, and is ready for the next', async () => {
    await open();
    const whole = await ask('Once upon a time', { conversation: 'whole' });
    let left = 5;
    const { tokens, run } = await ask('Once upon a time', { onToken: () => --left === 0 });
    expect(run.finish).toBe('ended');
    expect(run.answerTokens).toBe(5);
    expect(tokens).toEqual([]);
    const abort = new AbortController();
    let seen = 0;
    const stopped = await ask('Once upon a time', {
      maxTokens: 200,
      signal: abort.signal,
      onToken: () => {
        if (++seen === 3) abort.abort();
        return false;
      },
    });
    expect(stopped.run.finish).toBe('stopped');
    expect(stopped.run.answerTokens).toBeLessThanOrEqual(3 + 3);
    expect((await ask('Once upon a time')).tokens).toEqual(whole.tokens);
  });

  it('says when the context is full, before and while it answers', async () => {
    await open({ contextTokens: 64 });
    const tokens = encode('Once upon a time');
    await expect(
      ask('', { tokens: Array.from({ length: 64 }, (_, i) => tokens[i % tokens.length] ?? 0) }),
    ).rejects.toMatchObject({
      details: { contextFull: true },
    });
    const { run } = await ask('Once upon a time', { maxTokens: 1000 });
    expect(run.finish).toBe('context-full');
    expect(tokens.length + run.answerTokens).toBe(64);
  });

  it('serves more conversations than it has slots, each as if it were alone', async () => {
    await open({ sessions: 1 });
    const prompts = ['Once upon a time', 'The dog', 'A girl', 'Tom and', 'One day', 'The sun'];
    const together = await Promise.all(prompts.map((text) => ask(text, { maxTokens: 24 })));
    for (const [i, text] of prompts.entries()) {
      expect((await ask(text, { conversation: `again ${i}`, maxTokens: 24 })).tokens).toEqual(together[i]?.tokens);
    }
  });

  it('lets answers that outgrow the memory together take turns, each as if it were alone', async () => {
    await open({ sessions: 1 });
    const prompts = ['Once upon a time', 'The dog', 'A girl'];
    const together = await Promise.all(prompts.map((text) => ask(text, { maxTokens: 200 })));
    for (const [i, text] of prompts.entries()) {
      const alone = await ask(text, { conversation: `alone ${i}`, maxTokens: 200 });
      expect(together[i]?.tokens).toEqual(alone.tokens);
      expect(together[i]?.run.answerTokens).toBe(200);
    }
  });

  it('keeps what two conversations have in common with their last turns', async () => {
    await open({ sessions: 1 });
    const one = await ask('Once upon a time', { conversation: 'one', maxTokens: 30 });
    await ask('The dog', { conversation: 'two', maxTokens: 30 });
    const tokens = [...encode('Once upon a time'), ...one.tokens.slice(0, 25)];
    expect((await ask('', { conversation: 'one', tokens, maxTokens: 5 })).run.reusedTokens).toBe(tokens.length - 1);
  });

  it('ends every run with the reason when the GPU is lost, and what was said stays', async () => {
    await open();
    const whole = await ask('Once upon a time', { conversation: 'whole' });
    const lost = await openEnvironment('driver', 'f32');
    const { stage, shape } = await openStage(lost, model, { contextTokens: 256 });
    const other = new Engine(stage, shape.contextTokens, shape.slots);
    const said: number[] = [];
    const run = other.generate({
      conversation: 'lost',
      tokens: encode('Once upon a time'),
      sampler: GREEDY,
      maxTokens: 200,
      signal: new AbortController().signal,
      onToken: ({ token }) => {
        if (said.push(token) === 5) lost.device.destroy();
        return false;
      },
    });
    await expect(run).rejects.toMatchObject({ remedy: 'reload-device', details: { reason: 'lost' } });
    const rest = await ask('', {
      conversation: 'found',
      tokens: [...encode('Once upon a time'), ...said],
      maxTokens: 40 - said.length,
    });
    expect([...said, ...rest.tokens]).toEqual(whole.tokens);
    other.close();
  });

  it('reads a prompt in chunks and submits of any size to the same tokens, begins small, and remembers the pace', async () => {
    await open();
    const long = { tokens: Array.from({ length: 90 }, (_, i) => 300 + (i % 50)), maxTokens: 8 };
    const whole = await ask('', long);
    engine.close();
    const { stage, shape } = await open();
    const submit = gpu.device.queue.submit.bind(gpu.device.queue);
    let submits = 0;
    gpu.device.queue.submit = (buffers) => {
      submits++;
      return submit(buffers);
    };
    const pace = new Pace(false);
    const read = async (conversation: string) => {
      engine = new Engine(stage, shape.contextTokens, shape.slots, pace);
      const chunks: number[] = [];
      const before = submits;
      const onPrefill = (doneTokens: number) => {
        if (doneTokens > 0) chunks.push(doneTokens);
      };
      const { tokens } = await ask('', { ...long, conversation, onPrefill });
      expect(tokens).toEqual(whole.tokens);
      engine.close();
      return { first: chunks[0], submits: submits - before, chunks: chunks.length };
    };
    try {
      const first = await read('first');
      expect(first.first).toBe(4);
      expect(first.submits).toBeGreaterThanOrEqual(first.chunks + 3 + long.maxTokens - 1);
      const rows = pace.rows;
      expect(await read('second')).toMatchObject({ first: Math.min(rows, 90) });
    } finally {
      gpu.device.queue.submit = submit;
    }
  });

  it('begins with fewer rows after the device was lost in a chunk of a prompt', async () => {
    await open();
    const pace = new Pace(false);
    const lost = await openEnvironment('driver', 'f32');
    const { stage, shape } = await openStage(lost, model, { contextTokens: 256 });
    const other = new Engine(stage, shape.contextTokens, shape.slots, pace);
    const rows = pace.rows;
    const submit = lost.device.queue.submit.bind(lost.device.queue);
    lost.device.queue.submit = (buffers) => {
      submit(buffers);
      lost.device.destroy();
    };
    const { signal } = new AbortController();
    const tokens = Array.from({ length: 90 }, () => 300);
    const run = other.generate({
      conversation: '',
      tokens,
      sampler: GREEDY,
      maxTokens: 4,
      signal,
      onToken: () => false,
    });
    await expect(run).rejects.toMatchObject({ details: { reason: 'lost' } });
    expect(pace.rows).toBeLessThan(rows);
    other.close();
  });

  it('goes on from the same place with the same seed, on any device', async () => {
    await open();
    const sampler = { ...GREEDY, temperature: 1, seed: 7 };
    const whole = await ask('Once upon a time', { sampler, maxTokens: 32 });
    engine.close();
    await open();
    const begun = [...encode('Once upon a time'), ...whole.tokens.slice(0, 10)];
    const rest = await ask('', { conversation: 'rest', tokens: begun, generatedTokens: 10, sampler, maxTokens: 22 });
    expect([...whole.tokens.slice(0, 10), ...rest.tokens]).toEqual(whole.tokens);
    const other = await ask('Once upon a time', { sampler: { ...sampler, seed: 8 }, maxTokens: 32 });
    expect(other.tokens).not.toEqual(whole.tokens);
  });

  it.each(ENCODINGS)(
    'asks the device for what the memory arithmetic says, one part in twenty: %s',
    async (encoding) => {
      const options = VARIANTS[encoding] ?? {};
      const size = { hiddenSize: 512, heads: 8, kvHeads: 2, headSize: 64, feedForward: 768 };
      const { device } = gpu;
      const { stage: small } = await open();
      engine.close();
      small.free();
      const bytes = modelOf(encoding, size, options);
      const asked = countBuffers(device);
      const before = gpu.ledger.takenBytes;
      try {
        const layers = options.layers ?? LAYERS;
        const ranges = [
          { firstLayer: 0, endLayer: layers, embedding: true, head: true },
          { firstLayer: 0, endLayer: layers, embedding: true, head: false },
          { firstLayer: layers - 1, endLayer: layers, embedding: false, head: true },
        ];
        for (const range of ranges) {
          for (const contextTokens of [64, 300]) {
            const opened = await openStage(gpu, bytes, { contextTokens, sessions: 2, slots: 3, range: () => range });
            const { stage, shape } = opened;
            const planned = stage.plan.totalBytes;
            // all that a first prompt and a first answer take, too
            const isWhole = range.head && range.embedding;
            const steps = isWhole ? undefined : new StepRunner(stage);
            await steps?.prepare(32, range.head ? 1 : 0);
            if (isWhole) {
              engine = new Engine(stage, shape.contextTokens, shape.slots);
              await ask('', { tokens: Array.from({ length: 50 }, (_, i) => 3 + i), maxTokens: 4 });
            }
            expect(Math.abs(asked.bytes - planned) / planned, JSON.stringify({ range, contextTokens })).toBeLessThan(
              0.05,
            );
            engine.close();
            steps?.free();
            stage.free();
            // sizes of products, a few words each, stay as long as the device
            expect(asked.bytes).toBeLessThan(SHAPES_BYTES);
            expect(gpu.ledger.takenBytes).toBe(before);
          }
        }
      } finally {
        asked.stop();
        await open();
      }
    },
  );
});

/** Bytes of the buffers that the device made and that were not destroyed, whoever asked. */
function countBuffers(device: GPUDevice) {
  const create = device.createBuffer.bind(device);
  const counted = { bytes: 0, stop };
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    let lives = true;
    counted.bytes += descriptor.size;
    buffer.destroy = () => {
      if (lives) counted.bytes -= descriptor.size;
      lives = false;
      return destroy();
    };
    return buffer;
  };
  function stop(): void {
    device.createBuffer = create;
  }
  return counted;
}
