import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../worker/generation/engine.ts';
import { StageExecutor, type StageOutput } from '../../worker/generation/stage-executor.ts';
import type { Gpu } from '../../worker/gpu/device.ts';
import { readResult } from '../../worker/gpu/sampler.ts';
import { openEnvironment } from '../kernels/open.ts';
import { PLAIN } from '../kernels/sampling.ts';
import { LAYERS, model, noGpuReason } from './model.ts';
import { openStage } from './open.ts';

const reason = await noGpuReason();

const SLOTS = 3;
const DECODED = 10;
const SAMPLER = { ...PLAIN, temperature: 0.8, repetitionPenalty: 1.1, seed: 5 };
/** Prompts of a few and of many rows: chunks and single rows mix. */
const PROMPTS = [[1, 403, 407, 261, 378], [1, 432], Array.from({ length: 90 }, (_, i) => 1 + ((i * 37) % 400))];

describe.skipIf(reason !== '')(`stages that are sent rows${reason}`, () => {
  let gpu: Gpu;
  const opened: { close(): void }[] = [];
  const lost: number[] = [];
  beforeAll(async () => {
    gpu = await openEnvironment('driver', 'f32');
  });
  afterEach(() => {
    for (const one of opened.splice(0)) one.close();
    lost.splice(0);
  });
  afterAll(() => gpu.close());

  const seat = async (first: number, last: number, options: { sessions?: number; contextTokens?: number } = {}) => {
    const range = { firstLayer: first, endLayer: last, embedding: first === 0, head: last === LAYERS };
    const { stage } = await openStage(gpu, model, {
      contextTokens: 128,
      sessions: SLOTS,
      slots: SLOTS,
      range: () => range,
      ...options,
    });
    const executor = new StageExecutor({
      stage,
      slots: SLOTS,
      onSlotLost: (slot) => lost.push(slot),
      onFailed: (error) => {
        throw error;
      },
    });
    opened.push({
      close() {
        executor.close();
        stage.free();
      },
    });
    return executor;
  };
  const run = (executor: StageExecutor, work: Omit<Parameters<StageExecutor['run']>[0], 'done'>) =>
    new Promise<StageOutput>((done) => executor.run({ ...work, done }));

  /** Tokens that a pipeline says, its rows sent on by hand. */
  const answer = async (pipeline: readonly StageExecutor[], slot: number, prompt: readonly number[]) => {
    for (const executor of pipeline) executor.begin(slot, 0);
    pipeline.at(-1)?.setSampler(slot, SAMPLER, prompt, prompt.length);
    const said: number[] = [];
    let tokens = prompt;
    let first = 0;
    while (said.length < DECODED) {
      let out: StageOutput = {};
      for (const [i, executor] of pipeline.entries()) {
        const rows = { slot, first, rows: tokens.length, sample: i === pipeline.length - 1 };
        out = await run(executor, i === 0 ? { ...rows, tokens } : { ...rows, hidden: out.hidden as Float32Array });
      }
      first += tokens.length;
      tokens = [readResult(out.result as Uint32Array, 0).token];
      said.push(...tokens);
    }
    return said;
  };
  const alone = async (prompt: readonly number[]) => {
    const { stage } = await openStage(gpu, model, { contextTokens: 128 });
    const engine = new Engine(stage, 128, 1);
    const said: number[] = [];
    const signal = new AbortController().signal;
    const onToken = ({ token }: { token: number }) => said.push(token) >= DECODED;
    await engine.generate({ conversation: '', tokens: prompt, sampler: SAMPLER, maxTokens: DECODED, signal, onToken });
    engine.close();
    stage.free();
    return said;
  };

  it('give three sessions at once what each of them gets alone on one device', async () => {
    const pipeline = [await seat(0, 1), await seat(1, 4), await seat(4, LAYERS)];
    const together = await Promise.all(PROMPTS.map((prompt, slot) => answer(pipeline, slot, prompt)));
    for (const [i, prompt] of PROMPTS.entries()) expect(together[i]).toEqual(await alone(prompt));
    expect(lost).toEqual([]);
  });

  it('take the pages of an idle slot first, and say whose are gone', async () => {
    const whole = await seat(0, LAYERS, { sessions: 1 });
    await answer([whole], 0, PROMPTS[1] as number[]);
    whole.halt(0);
    const long = PROMPTS[2] as number[];
    const said = await answer([whole], 1, long);
    expect(lost).toEqual([0]);
    expect(said).toEqual(await alone(long));
  });

  it('of two that run where there are pages for one, the one that began first goes on', async () => {
    const whole = await seat(0, LAYERS, { sessions: 1 });
    const [first, second] = [PROMPTS[2], PROMPTS[1]] as [number[], number[]];
    const elder = answer([whole], 0, first);
    const younger = answer([whole], 1, second);
    expect(await elder).toEqual(await alone(first));
    await Promise.race([younger, elder]);
    expect(lost).toEqual([1]);
  });

  it('drop what is halted, and compute what comes after it', async () => {
    const whole = await seat(0, LAYERS);
    const [prompt] = PROMPTS as [number[]];
    let done = 0;
    whole.begin(0, 0);
    whole.setSampler(0, SAMPLER, prompt, prompt.length);
    whole.run({ slot: 0, first: 0, rows: prompt.length, tokens: prompt, sample: true, done: () => done++ });
    whole.halt(0);
    expect(await answer([whole], 0, prompt)).toEqual(await alone(prompt));
    expect(done).toBe(0);
  });

  it('refuse rows that came without what they are computed from', async () => {
    const last = await seat(4, LAYERS);
    const nothing = () => {};
    expect(() => last.run({ slot: 0, first: 0, rows: 1, tokens: [1], sample: true, done: nothing })).toThrow(/1 rows/);
    const hidden = new Float32Array(64);
    expect(() => last.run({ slot: 9, first: 0, rows: 1, hidden, sample: true, done: nothing })).toThrow(/Slot 9/);
  });
});
