import { InternalError } from '../errors.ts';
import { type SamplerParameters, SETTINGS_WORDS, writeCounts, writeSamplerSettings } from '../gpu/sampler.ts';
import { MAX_LOGIT_ROWS, padded, STEP_WORDS, type StepRow, writeStep } from '../gpu/step.ts';
import type { Stage } from '../models/stage.ts';
import { READBACKS } from '../planner/memory.ts';
import { bucketFor } from './chunks.ts';
import { Readbacks } from './readbacks.ts';

/** A decode step that took longer is submitted in parts from then on: some systems end a device that is busy too long. */
const SPLIT_MS = 1000;
/** What a part should take, and the most parts. */
const PART_MS = 250;
const MOST_PARTS = 16;
/** A step that seemed to take longer was not computing: the device slept. */
const ASLEEP_MS = 20_000;

interface StepOutput {
  readonly logitRows: number;
  /** What the CPU reads of it: so many bytes, 0 for nothing. */
  readonly from: 'results' | 'hidden';
  readonly bytes: number;
  readonly isDecode: boolean;
}

/**
 * Runs steps of a stage: writes the small buffers, encodes the recorded program in one pass, submits once. A stage with
 * the head samples; one without gives hidden states; one without the embedding is given them.
 */
export class StepRunner {
  readonly #stage: Stage;
  readonly #words = new Uint32Array(STEP_WORDS);
  readonly #readbackBuffers: readonly GPUBuffer[];
  readonly #readbacks: Readbacks;
  #parts = 1;
  #last: Promise<void> = Promise.resolve();
  #readAt = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
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

  /** While steps are submitted in parts, one at a time. */
  async throttle(): Promise<void> {
    if (this.#parts > 1) await this.#last;
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
    const logitRows = rows.filter(({ wantsLogits }) => wantsLogits).length;
    const bytes = logitRows === 0 ? 0 : this.#stage.buffer('results').size;
    const read = this.#run(rows, hidden, { logitRows, bytes, from: 'results', isDecode: rows.length === logitRows });
    return read?.then((words) => new Uint32Array(words));
  }

  /**
   * Submits a step of a stage without the head. Resolves with the hidden states of its rows, f32
   * [row][padded(hiddenSize)].
   * @param hidden for a stage without the embedding: as the stage before gave them
   */
  async pass(rows: readonly StepRow[], hidden?: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>> {
    const { range, spec } = this.#stage;
    if (range.head) throw new InternalError('A stage with the head gives tokens.');
    const bytes = rows.length * padded(spec.hiddenSize) * 4;
    const isDecode = rows.length <= MAX_LOGIT_ROWS;
    const states = await this.#run(rows, hidden, { logitRows: 0, bytes, from: 'hidden', isDecode });
    return new Float32Array(states ?? []);
  }

  #run(
    rows: readonly StepRow[],
    hidden: Float32Array<ArrayBuffer> | undefined,
    { logitRows, bytes, from, isDecode }: StepOutput,
  ): Promise<ArrayBuffer> | undefined {
    const { gpu } = this.#stage;
    gpu.check();
    const bucket = bucketFor(rows.length);
    writeStep(this.#words, rows, bucket);
    gpu.device.queue.writeBuffer(this.#stage.buffer('step'), 0, this.#words);
    this.#writeHidden(rows.length, hidden);
    const program = this.#stage.program(bucket, logitRows === 0 ? 0 : bucketFor(logitRows));
    const parts = isDecode ? this.#parts : 1;
    const perPart = Math.ceil(program.dispatches.length / parts);
    const begin = performance.now();
    let results: (() => Promise<ArrayBuffer>) | undefined;
    for (let part = 0; part < parts; part++) {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      program.encode(pass, part * perPart, Math.min((part + 1) * perPart, program.dispatches.length));
      pass.end();
      if (part === parts - 1 && bytes > 0) results = this.#readbacks.copy(encoder, this.#stage.buffer(from), bytes);
      gpu.device.queue.submit([encoder.finish()]);
    }
    if (results === undefined) return undefined;
    const read = results();
    if (isDecode && !gpu.software) this.#watch(read, begin);
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

  /** Splits later steps when this one alone held the GPU for too long. */
  #watch(read: Promise<unknown>, begin: number): void {
    this.#last = read.then(
      () => {
        const now = performance.now();
        const ms = now - Math.max(begin, this.#readAt);
        this.#readAt = now;
        if (this.#parts === 1 && ms > SPLIT_MS && ms < ASLEEP_MS) {
          this.#parts = Math.min(MOST_PARTS, Math.ceil(ms / PART_MS));
        }
      },
      () => {}, // the submitter gets the error
    );
  }
}
