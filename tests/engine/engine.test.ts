import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../worker/generation/engine.ts';
import { Pace } from '../../worker/generation/pace.ts';
import type { TokenRequest } from '../../worker/generation/run.ts';
import type { Gpu } from '../../worker/gpu/device.ts';
import type { SamplerParameters } from '../../worker/gpu/sampler.ts';
import { createTokenizer, type Tokenizer } from '../../worker/text/index.ts';
import { openEnvironment } from '../kernels/open.ts';
import { PLAIN } from '../kernels/sampling.ts';
import { openStage } from './open.ts';
import { stories, storiesReason } from './stories.ts';

const reason = await storiesReason();

const GREEDY: SamplerParameters = { ...PLAIN, temperature: 0 };
/** What llama.cpp says in float32 to "Once upon a time". */
const STORY =
  ', there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball.';

describe.skipIf(reason !== '')(`the engine${reason}`, () => {
  let gpu: Gpu;
  let engine: Engine;
  let tokenizer: Tokenizer;
  const open = async (options: { contextTokens?: number; sessions?: number } = {}) => {
    const opened = await openStage(gpu, stories, { contextTokens: 256, sessions: 2, ...options });
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

  it('writes the text that the reference writes', async () => {
    await open();
    const { text, run } = await ask('Once upon a time', { maxTokens: 48 });
    expect(text.startsWith(STORY)).toBe(true);
    expect(run.finish).toBe('max-tokens');
    expect(run.answerTokens).toBe(48);
  });

  it('gives two sessions that decode together the tokens that each gets alone', async () => {
    await open();
    const alone = [await ask('Once upon a time'), await ask('The dog')];
    engine.close();
    await open();
    const together = await Promise.all([ask('Once upon a time'), ask('The dog')]);
    expect(together.map(({ tokens }) => tokens)).toEqual(alone.map(({ tokens }) => tokens));
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
    expect((await ask('Once upon a time', { maxTokens: 48 })).text.startsWith(STORY)).toBe(true);
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
    const lost = await openEnvironment('driver', 'f32');
    const { stage, shape } = await openStage(lost, stories, { contextTokens: 256 });
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
      maxTokens: 48 - said.length,
    });
    expect(tokenizer.decode([...said, ...rest.tokens]).startsWith(STORY)).toBe(true);
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
    const { stage, shape } = await openStage(lost, stories, { contextTokens: 256 });
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

  it('allocates what the memory arithmetic says', async () => {
    const before = gpu.ledger.takenBytes;
    const { stage } = await open();
    const taken = gpu.ledger.takenBytes - before;
    expect(Math.abs(taken - stage.plan.totalBytes)).toBeLessThan(0.05 * stage.plan.totalBytes);
    engine.close();
    stage.free();
    expect(gpu.ledger.takenBytes).toBe(before);
    await open();
  });
});
