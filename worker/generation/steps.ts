import { InternalError } from '../errors.ts';
import {
  RESULT_WORDS,
  resultBytes,
  type SamplerParameters,
  SETTINGS_WORDS,
  writeCounts,
  writeSamplerSettings,
} from '../gpu/sampler.ts';
import { MAX_LOGIT_ROWS, padded, STEP_WORDS, type StepRow, writeStep } from '../gpu/step.ts';
import type { Stage } from '../models/stage.ts';
import { READBACKS } from '../planner/memory.ts';
import { bucketFor } from './chunks.ts';
import { Pace } from './pace.ts';
import { type ByteRange, Readbacks } from './readbacks.ts';

interface StepOutput {
  readonly logitRows: number;
  /** What the CPU reads of it. */
  readonly from: 'results' | 'hidden';
  readonly ranges: readonly ByteRange[];
  readonly isDecode: boolean;
}

/**
 * Runs steps of a stage: writes the small buffers, encodes the recorded program in one pass, submits once, or in as many
 * parts as the pace says. A stage with the head samples; one without gives hidden states; one without the embedding is given them.
 */
export class StepRunner {
  readonly #stage: Stage;
  readonly #pace: Pace;
  readonly #words = new Uint32Array(STEP_WORDS);
  readonly #readbackBuffers: readonly GPUBuffer[];
  readonly #readbacks: Readbacks;
  #last: Promise<void> = Promise.resolve();
  #readAt = 0;
  /** Of each slot: how many of the likeliest tokens its results list. */
  readonly #topLogProbs = new Map<number, number>();

  constructor(stage: Stage, pace = new Pace(stage.gpu.software)) {
    this.#stage = stage;
    this.#pace = pace;
    const { size } = stage.buffer(stage.range.head ? 'results' : 'hidden');
    this.#readbackBuffers = Array.from({ length: READBACKS }, (_, i) =>
      stage.gpu.ledger.buffer(`readback ${i}`, size, 'scratch', GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST),
    );
    this.#readbacks = new Readbacks(this.#readbackBuffers);
  }

  /** False when results of earlier steps must be read first. */
  get hasRoom(): boolean {
    return this.#readbacks.hasIdle;
  }

  /** Resolves when the GPU has done all that was submitted. */
  async idle(): Promise<void> {
    await this.#stage.gpu.device.queue.onSubmittedWorkDone();
  }

  /** Compiles what a step of so many rows needs; at once when it was used before. */
  async prepare(rows: number, logitRows: number): Promise<void> {
    await this.#stage.prepare(bucketFor(rows), logitRows === 0 ? 0 : bucketFor(logitRows));
  }

  /** While decode steps are submitted in parts, one at a time. */
  async throttle(): Promise<void> {
    if (this.#pace.decodeParts > 1) await this.#last;
  }

  setPages(slot: number, pages: readonly number[]): void {
    const { gpu, plan } = this.#stage;
    gpu.device.queue.writeBuffer(this.#stage.buffer('pages'), slot * plan.pagesPerSlot * 4, new Uint32Array(pages));
  }

  /** @param generated how many of `tokens`, at the end, the model said itself */
  setSampler(slot: number, sampler: SamplerParameters, tokens: readonly number[], generated: number): void {
    const { queue } = this.#stage.gpu.device;
    const words = new Uint32Array(SETTINGS_WORDS);
    writeSamplerSettings(words, sampler);
    this.#topLogProbs.set(slot, sampler.topLogProbs ?? 0);
    queue.writeBuffer(this.#stage.buffer('sampler-settings'), slot * SETTINGS_WORDS * 4, words);
    const { vocabulary } = this.#stage.spec;
    const counts = new Uint32Array(vocabulary);
    writeCounts(counts, tokens, generated);
    queue.writeBuffer(this.#stage.buffer('counts'), slot * vocabulary * 4, counts);
  }

  /**
   * Submits a step of a stage with the head. Resolves with the results of its logit rows in order; undefined when it
   * has none.
   * @param hidden for a stage without the embedding: f32 [row][padded(hiddenSize)], padding columns zero
   */
  submit(rows: readonly StepRow[], hidden?: Float32Array<ArrayBuffer>): Promise<Uint32Array> | undefined {
    const wanted = rows.filter(({ wantsLogits }) => wantsLogits);
    const logitRows = wanted.length;
    const ranges = wanted.map(({ slot }, i) => ({
      start: i * RESULT_WORDS * 4,
      bytes: resultBytes(this.#topLogProbs.get(slot) ?? 0),
    }));
    const read = this.#run(rows, hidden, { logitRows, ranges, from: 'results', isDecode: rows.length === logitRows });
    return read?.then((bytes) => atTheirPlaces(bytes, ranges, logitRows * RESULT_WORDS));
  }

  /**
   * Submits a step of a stage without the head. Resolves with the hidden states of its rows, f32
   * [row][padded(hiddenSize)].
   * @param hidden for a stage without the embedding: as the stage before gave them
   */
  async pass(rows: readonly StepRow[], hidden?: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
    const { range, spec } = this.#stage;
    if (range.head) throw new InternalError('A stage with the head gives tokens.');
    const ranges = [{ start: 0, bytes: rows.length * padded(spec.hiddenSize) * 4 }];
    const isDecode = rows.length <= MAX_LOGIT_ROWS;
    const states = await this.#run(rows, hidden, { logitRows: 0, ranges, from: 'hidden', isDecode });
    return new Float32Array(states ?? []);
  }

  #run(
    rows: readonly StepRow[],
    hidden: Float32Array<ArrayBuffer> | undefined,
    { logitRows, ranges, from, isDecode }: StepOutput,
  ): Promise<ArrayBuffer> | undefined {
    const { gpu } = this.#stage;
    gpu.check();
    const bucket = bucketFor(rows.length);
    writeStep(this.#words, rows, bucket);
    gpu.device.queue.writeBuffer(this.#stage.buffer('step'), 0, this.#words);
    this.#writeHidden(rows.length, hidden);
    const program = this.#stage.program(bucket, logitRows === 0 ? 0 : bucketFor(logitRows));
    const parts = isDecode ? this.#pace.decodeParts : this.#pace.parts(bucket);
    const perPart = Math.ceil(program.dispatches.length / parts);
    const begin = performance.now();
    let results: (() => Promise<ArrayBuffer>) | undefined;
    for (let part = 0; part < parts; part++) {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      program.encode(pass, part * perPart, Math.min((part + 1) * perPart, program.dispatches.length));
      pass.end();
      if (part === parts - 1 && ranges.length > 0) {
        results = this.#readbacks.copy(encoder, this.#stage.buffer(from), ranges);
      }
      gpu.device.queue.submit([encoder.finish()]);
    }
    if (results === undefined) return undefined;
    const read = results();
    if (isDecode) this.#watch(read, begin);
    return read;
  }

  free(): void {
    for (const buffer of this.#readbackBuffers) this.#stage.gpu.ledger.free(buffer);
  }

  #writeHidden(rows: number, hidden: Float32Array<ArrayBuffer> | undefined): void {
    const { gpu, range, spec } = this.#stage;
    const expected = range.embedding ? 0 : rows * padded(spec.hiddenSize);
    const given = hidden?.length ?? 0;
    if (given !== expected) {
      throw new InternalError(
        `A step of ${rows} rows was given ${given} values of hidden states; it takes ${expected}.`,
      );
    }
    if (hidden !== undefined) gpu.device.queue.writeBuffer(this.#stage.buffer('hidden'), 0, hidden);
  }

  /** Tells the pace how long this step alone held the GPU; also one that ended with the device. */
  #watch(read: Promise<unknown>, begin: number): void {
    const measure = () => {
      const now = performance.now();
      this.#pace.decoded(now - Math.max(begin, this.#readAt));
      this.#readAt = now;
    };
    this.#last = read.then(measure, measure); // the submitter gets the error
  }
}

/** Parts that were read one behind the other, as words, each where it was. */
function atTheirPlaces(read: ArrayBuffer, ranges: readonly ByteRange[], words: number): Uint32Array {
  const all = new Uint32Array(words);
  let from = 0;
  for (const { start, bytes } of ranges) {
    all.set(new Uint32Array(read, from, bytes / 4), start / 4);
    from += bytes;
  }
  return all;
}
