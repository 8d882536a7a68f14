import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Slots } from '../../worker/generation/slots.ts';
import { StepRunner } from '../../worker/generation/steps.ts';
import type { Gpu } from '../../worker/gpu/device.ts';
import { readResult } from '../../worker/gpu/sampler.ts';
import type { StepRow } from '../../worker/gpu/step.ts';
import { UnbackedModel } from '../../worker/models/compile-ahead.ts';
import type { Stage } from '../../worker/models/stage.ts';
import { openEnvironment } from '../kernels/open.ts';
import { PLAIN } from '../kernels/sampling.ts';
import { LAYERS, model, modelOf, noGpuReason } from './model.ts';
import { type OpenedStage, openStage } from './open.ts';

const reason = await noGpuReason();

const TOKENS = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 399];
const DECODED = 12;
const CONTEXT_TOKENS = 128;
/** Rows and logit rows of steps that a first answer runs. */
const STEPS = [
  [1, 1],
  [8, 0],
] as const;
const SAMPLER = { ...PLAIN, seed: 3 };

describe.skipIf(reason !== '')(`a model cut in stages that share no GPU memory${reason}`, () => {
  let gpu: Gpu;
  const pipelines: Pipeline[] = [];
  beforeAll(async () => {
    gpu = await openEnvironment('driver', 'f32');
  });
  afterEach(() => {
    for (const { seats } of pipelines.splice(0)) for (const seat of seats) seat.free();
  });
  afterAll(() => gpu.close());

  const open = async (...cuts: readonly number[]): Promise<Pipeline> => {
    const ends = [...cuts, LAYERS];
    const seats: Seat[] = [];
    for (const [i, endLayer] of ends.entries()) {
      const range = { firstLayer: ends[i - 1] ?? 0, endLayer, embedding: i === 0, head: i === cuts.length };
      seats.push(new Seat(await openStage(gpu, model, { contextTokens: CONTEXT_TOKENS, range: () => range })));
    }
    const pipeline = new Pipeline(seats);
    pipelines.push(pipeline);
    return pipeline;
  };

  it.each([[[1]], [[3]], [[1, 4]]])('gives what one stage gives, bit for bit, cut after layers %j', async (cuts) => {
    const one = await open();
    const several = await open(...cuts);
    // where a session lies, and beside whom, changes nothing
    await several.answer('another', [...TOKENS].reverse(), 3);
    expect(await several.answer('it', TOKENS, DECODED)).toEqual(await one.answer('it', TOKENS, DECODED));
  });

  it.each([0, 1, 2])('goes on as if nothing had been when stage %i is rebuilt from what it was sent', async (lost) => {
    const pipeline = await open(1, 4);
    const whole = await pipeline.answer('it', TOKENS, DECODED);
    await pipeline.rebuild(lost, 'it');
    const tokens = [...TOKENS, ...whole.slice(0, 4).map(({ token }) => token)];
    expect(await pipeline.answer('it', tokens, DECODED - 4, tokens.length - 1)).toEqual(whole.slice(4));
  });

  it('takes hidden states of its rows, no more and no fewer', async () => {
    const { seats } = await open(2);
    const rows = [rowOf(0, 0, 1, false)];
    const [first, last] = seats as [Seat, Seat];
    expect(() => last.steps.submit(rows, new Float32Array(3))).toThrow(/1 rows was given 3 values/);
    expect(() => last.steps.submit(rows)).toThrow(/given 0 values/);
    await expect(first.steps.pass(rows, new Float32Array(64))).rejects.toThrow(/takes 0/);
    await expect(last.steps.pass(rows, new Float32Array(64))).rejects.toThrow(/head/);
  });

  it.each([
    ['of one format', model],
    ['of a mixture', modelOf('Q4_K_M', { hiddenSize: 256, heads: 8, kvHeads: 4, headSize: 32, feedForward: 512 })],
  ])('knows the kernels of every stage before it has one, and takes no memory for them: %s', async (_, model) => {
    const fresh = await openEnvironment('driver', 'f32');
    const known = await openStage(gpu, model, { contextTokens: CONTEXT_TOKENS });
    const { spec, plan } = known.stage;
    known.stage.free();
    const whole = new UnbackedModel(fresh, spec, known.checkpoint.tensors, plan.pagesPerSlot, plan.kv);
    for (const [rows, logitRows] of STEPS) await whole.prepare(rows, logitRows);
    expect(fresh.ledger.takenBytes).toBe(0);
    expect(fresh.kernels.all.length).toBeGreaterThan(9);
    for (const range of [
      [0, 1],
      [1, 4],
      [4, LAYERS],
    ] as const) {
      const [firstLayer, endLayer] = range;
      const { stage } = await openStage(fresh, model, {
        contextTokens: CONTEXT_TOKENS,
        range: () => ({ firstLayer, endLayer, embedding: firstLayer === 0, head: endLayer === LAYERS }),
      });
      const loading = fresh.kernels.all.length;
      for (const [rows, logitRows] of STEPS) await stage.prepare(rows, logitRows);
      expect(fresh.kernels.all.length).toBe(loading);
      stage.free();
    }
    fresh.close();
  });

  it('allocates what the memory arithmetic says', async () => {
    const before = gpu.ledger.takenBytes;
    const { seats } = await open(2);
    const planned = seats.reduce((sum, { stage }) => sum + stage.plan.totalBytes, 0);
    expect(gpu.ledger.takenBytes - before).toBe(planned);
  });

  it('keeps nothing of a stage for which memory ends half-way', async () => {
    const fresh = await openEnvironment('driver', 'f32');
    const whole = await openStage(fresh, model, { contextTokens: CONTEXT_TOKENS });
    const { kvBytes, scratchBytes } = whole.stage.plan;
    const needed = fresh.ledger.takenBytes;
    whole.stage.free();
    for (const lacking of [1, kvBytes, kvBytes + scratchBytes / 2]) {
      fresh.ledger.budgetBytes = needed - lacking;
      await expect(openStage(fresh, model, { contextTokens: CONTEXT_TOKENS })).rejects.toThrow(/smaller model/);
      expect(fresh.ledger.takenBytes).toBe(0);
    }
    fresh.close();
  });
});

function rowOf(slot: number, position: number, token: number, wantsLogits: boolean): StepRow {
  return { token, position, slot, fromSampled: false, wantsLogits };
}

/** What goes to a stage: tokens to the first, hidden states to the others. */
interface Sent {
  readonly position: number;
  readonly tokens: readonly number[];
  readonly hidden: Float32Array<ArrayBuffer> | undefined;
}

interface Out {
  readonly hidden?: Float32Array<ArrayBuffer>;
  readonly words?: Uint32Array | undefined;
}

/** A stage and what a device keeps beside it. */
class Seat {
  readonly stage: Stage;
  readonly steps: StepRunner;
  readonly slots: Slots;
  /** What it was sent for a session, as the sender keeps it. */
  readonly sent: Sent[] = [];

  constructor({ stage, shape }: OpenedStage) {
    this.stage = stage;
    this.steps = new StepRunner(stage);
    const setPages = (slot: number, pages: readonly number[]) => this.steps.setPages(slot, pages);
    const { slots, contextTokens } = shape;
    this.slots = new Slots({ slots, pages: stage.plan.pages, contextTokens, setPages });
  }

  slotOf(session: string, positions: number): number {
    const slot = this.slots.take(session, positions);
    if (slot === undefined) throw new Error(`no room for ${session}`);
    return slot.index;
  }

  /** Hidden states after this stage; of the stage with the head, results of the last row where one is wanted. */
  async run(session: string, { position, tokens, hidden }: Sent, wantsNext: boolean): Promise<Out> {
    const slot = this.slotOf(session, position + tokens.length);
    const { head } = this.stage.range;
    const rows = tokens.map((token, i) => rowOf(slot, position + i, token, wantsNext && i === tokens.length - 1));
    await this.steps.prepare(rows.length, head && wantsNext ? 1 : 0);
    if (!head) return { hidden: await this.steps.pass(rows, hidden) };
    return { words: await this.steps.submit(rows, hidden) };
  }

  free(): void {
    this.steps.free();
    this.stage.free();
  }
}

/** Stages one after another; between them hidden states go through memory of the CPU. */
class Pipeline {
  readonly seats: readonly Seat[];

  constructor(seats: readonly Seat[]) {
    this.seats = seats;
  }

  /**
   * The next `count` tokens, each with the logits that it was drawn from.
   * @param from the first position to compute; those before are there
   */
  async answer(session: string, tokens: readonly number[], count: number, from = 0) {
    const last = this.seats.at(-1) as Seat;
    last.steps.setSampler(last.slotOf(session, tokens.length), SAMPLER, tokens, 0);
    const said: { token: number; logits: Float32Array }[] = [];
    let step = { position: from, tokens: tokens.slice(from) };
    while (said.length < count) {
      let out: Out = {};
      for (const seat of this.seats) {
        const sent = { ...step, hidden: out.hidden };
        seat.sent.push(sent);
        out = await seat.run(session, sent, true);
      }
      const { token } = readResult(out.words as Uint32Array, 0);
      said.push({ token, logits: await logitsOf(last.stage) });
      step = { position: step.position + step.tokens.length, tokens: [token] };
    }
    return said;
  }

  /** A stage loses the session and computes it again, at another place. */
  async rebuild(index: number, session: string): Promise<void> {
    const seat = this.seats[index] as Seat;
    const before = seat.slots.of(session);
    if (before === undefined) throw new Error(`stage ${index} does not have ${session}`);
    seat.slots.free(before);
    seat.slotOf('another', 1);
    for (const sent of seat.sent) await seat.run(session, sent, false);
    expect(seat.slots.of(session)?.index).not.toBe(before.index);
  }
}

/** Logits of the last step's one row. */
async function logitsOf(stage: Stage): Promise<Float32Array> {
  const { device } = stage.gpu;
  const bytes = stage.spec.vocabulary * 4;
  const readback = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(stage.buffer('logits'), 0, readback, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await readback.mapAsync(GPUMapMode.READ);
  const logits = new Float32Array(readback.getMappedRange().slice(0));
  readback.destroy();
  return logits;
}
