import { InternalError } from '../errors.ts';
import { RESULT_WORDS, type SamplerParameters } from '../gpu/sampler.ts';
import { padded, type StepRow } from '../gpu/step.ts';
import type { Stage } from '../models/stage.ts';
import { bucketFor } from './chunks.ts';
import { Pace } from './pace.ts';
import { PagePool, pagesOf } from './pages.ts';
import { StepRunner } from './steps.ts';

/** Rows of one session at following positions, for one slot. */
export interface StageRun {
  readonly slot: number;
  /** Position of the first row. */
  readonly first: number;
  readonly rows: number;
  /** Ids of the rows, where the stage embeds. */
  readonly tokens?: readonly number[];
  /** f32 [rows][hiddenSize], where it does not. */
  readonly hidden?: Float32Array;
  /** A token is wanted after the last row; only with the head. */
  readonly sample: boolean;
  /** Called once, in the order of a slot's runs, unless the run is halted before. */
  readonly done: (computed: StageOutput) => void;
}

export interface StageOutput {
  /** f32 [rows][hiddenSize], of a stage without the head. */
  readonly hidden?: Float32Array<ArrayBuffer>;
  /** Where a token was wanted: RESULT_WORDS, read by `readResult`. */
  readonly result?: Uint32Array<ArrayBuffer>;
}

export interface StageExecutorOptions {
  readonly stage: Stage;
  readonly slots: number;
  readonly pace?: Pace;
  /** Another slot needed the pages: keys and values of this one are gone, and its runs. */
  readonly onSlotLost: (slot: number) => void;
  /** Nothing works any more: a step failed. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Runs a stage for whoever sends it rows: each step takes a row of every slot that has a single one to compute, or a chunk
 * of one slot's many; the two take turns. Whose sessions these are, and what may follow what, its user knows.
 */
export class StageExecutor {
  readonly #options: StageExecutorOptions;
  readonly #stage: Stage;
  readonly #steps: StepRunner;
  readonly #pace: Pace;
  readonly #pool: PagePool;
  readonly #slots: SlotWork[];
  #uses = 0;
  #looping = false;
  #chunkLast = false;
  #wake: () => void = () => {};
  #closed = false;

  constructor(options: StageExecutorOptions) {
    this.#options = options;
    this.#stage = options.stage;
    this.#pace = options.pace ?? new Pace(options.stage.gpu.software);
    this.#steps = new StepRunner(options.stage, this.#pace);
    this.#pool = new PagePool(options.stage.plan.pages);
    this.#slots = Array.from({ length: options.slots }, (_, index) => ({
      index,
      pages: [],
      queue: [],
      lastUse: 0,
      begun: 0,
    }));
  }

  /**
   * Keys and values at `keep` and behind are void. What was submitted may still write there; later runs follow it. Until
   * `halt` or `free` other slots take none of its pages unless it is the one that began last.
   */
  begin(slot: number, keep: number): void {
    this.free(slot, keep);
    this.#work(slot).begun = ++this.#uses;
  }

  /**
   * How the slot's next tokens are drawn, on a stage with the head.
   * @param promptTokens how many of `tokens`, from the start, the model did not say itself
   */
  setSampler(slot: number, parameters: SamplerParameters, tokens: readonly number[], promptTokens: number): void {
    this.#steps.setSampler(slot, parameters, tokens, Math.max(0, tokens.length - promptTokens));
  }

  run(run: StageRun): void {
    if (this.#closed) return;
    const { embedding, head } = this.#stage.range;
    const given = embedding ? run.tokens?.length : (run.hidden?.length ?? 0) / this.#stage.spec.hiddenSize;
    if (given !== run.rows || run.rows < 1 || (run.sample && !head)) {
      throw new InternalError(`A run of ${run.rows} rows came with what is needed for ${given}.`);
    }
    this.#work(run.slot).queue.push({ run, taken: 0, read: 0, hidden: undefined });
    this.#wake();
    void this.#loop();
  }

  /** Drops the slot's runs that are not done. What they computed up to now stays. */
  halt(slot: number): void {
    const work = this.#work(slot);
    work.queue.splice(0);
    work.begun = 0;
  }

  /** Drops its runs, and its keys and values from `keep` on. */
  free(slot: number, keep = 0): void {
    this.halt(slot);
    this.#pool.give(this.#work(slot).pages.splice(pagesOf(keep)));
  }

  /** Frees what it allocated; the stage stays. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { index } of this.#slots) this.halt(index);
    this.#steps.free();
    this.#wake();
  }

  // ---------- steps ----------

  async #loop(): Promise<void> {
    if (this.#looping) return;
    this.#looping = true;
    try {
      while (!this.#closed) {
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        if (await this.#step()) continue;
        if (this.#slots.every(({ queue }) => queue.length === 0)) break;
        await woken; // something was read, or a run came
      }
    } catch (error) {
      await this.#fail(error);
    } finally {
      this.#looping = false;
    }
  }

  /** Submits a step; false when there is none to submit now. */
  async #step(): Promise<boolean> {
    if (!this.#steps.hasRoom) return false;
    const open = this.#slots.flatMap(({ queue }) => queue.find(({ run, taken }) => taken < run.rows) ?? []);
    const singles = open.filter(({ run, taken }) => run.rows - taken === 1).slice(0, this.#mostLogitRows);
    const chunk = open.find(({ run, taken }) => run.rows - taken > 1);
    if (chunk !== undefined && (singles.length === 0 || !this.#chunkLast)) {
      this.#chunkLast = true;
      const rows = Math.min(this.#pace.rows, chunk.run.rows - chunk.taken);
      const begin = performance.now();
      if (!(await this.#submit([chunk], rows))) return true;
      await this.#steps.idle();
      this.#pace.measured(bucketFor(rows), performance.now() - begin);
      return true;
    }
    this.#chunkLast = false;
    if (singles.length === 0) return false;
    await this.#steps.throttle();
    await this.#submit(singles, 1);
    return true;
  }

  /** Takes the next `rows` rows of each; false where what was to be computed is not wanted any more. */
  async #submit(wanted: readonly Pending[], rows: number): Promise<boolean> {
    const { head } = this.#stage.range;
    await this.#steps.prepare(wanted.length * rows, head ? wanted.length : 0);
    const taking = wanted.filter((pending) => this.#isWanted(pending) && this.#hasPages(pending, rows));
    if (taking.length === 0 || this.#closed) return false;
    const parts = taking.map((pending) => ({ pending, from: pending.taken, rows }));
    for (const { pending } of parts) pending.taken += rows;
    const steps = parts.flatMap(({ pending, from }) => stepRows(pending.run, from, rows));
    const hidden = this.#stage.range.embedding ? undefined : this.#hidden(parts);
    const logitRows = steps.filter(({ wantsLogits }) => wantsLogits).length;
    // fewer than was thought: a run was halted meanwhile
    await this.#steps.prepare(steps.length, logitRows);
    const read = head
      ? this.#readTokens(parts, this.#steps.submit(steps, hidden))
      : this.#readHidden(parts, this.#steps.pass(steps, hidden));
    read.then(
      () => this.#wake(),
      (error) => this.#fail(error),
    );
    return true;
  }

  async #readTokens(parts: readonly Part[], results: Promise<Uint32Array> | undefined): Promise<void> {
    const words = await results;
    let at = 0;
    for (const { pending, from, rows } of parts) {
      const isLast = from + rows === pending.run.rows;
      const wanted = pending.run.sample && isLast;
      const result = wanted ? words?.slice(at * RESULT_WORDS, (at + 1) * RESULT_WORDS) : undefined;
      if (wanted) at++;
      // a chunk that wants no token is not read: it is done once submitted, and what follows comes behind it
      if (isLast) this.#finish(pending, result === undefined ? {} : { result: new Uint32Array(result) });
    }
  }

  async #readHidden(parts: readonly Part[], states: Promise<Float32Array<ArrayBuffer>>): Promise<void> {
    const { hiddenSize } = this.#stage.spec;
    const stride = padded(hiddenSize);
    const values = await states;
    let row = 0;
    for (const { pending, from, rows } of parts) {
      pending.hidden ??= new Float32Array(pending.run.rows * hiddenSize);
      for (let i = 0; i < rows; i++, row++) {
        pending.hidden.set(values.subarray(row * stride, row * stride + hiddenSize), (from + i) * hiddenSize);
      }
      pending.read += rows;
      if (pending.read === pending.run.rows) this.#finish(pending, { hidden: pending.hidden });
    }
  }

  #finish(pending: Pending, output: StageOutput): void {
    const { queue } = this.#work(pending.run.slot);
    const at = queue.indexOf(pending);
    if (at < 0) return; // halted
    queue.splice(at, 1);
    pending.run.done(output);
  }

  #hidden(parts: readonly Part[]): Float32Array<ArrayBuffer> {
    const { hiddenSize } = this.#stage.spec;
    const stride = padded(hiddenSize);
    const values = new Float32Array(parts.reduce((sum, { rows }) => sum + rows, 0) * stride);
    let row = 0;
    for (const { pending, from, rows } of parts) {
      for (let i = 0; i < rows; i++, row++) {
        const at = (from + i) * hiddenSize;
        values.set(pending.run.hidden?.subarray(at, at + hiddenSize) ?? [], row * stride);
      }
    }
    return values;
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#closed) return;
    this.close();
    this.#options.onFailed(await this.#stage.gpu.causeOf(error));
  }

  // ---------- pages ----------

  get #mostLogitRows(): number {
    const { range } = this.#stage;
    if (!range.head) return this.#options.slots;
    return Math.min(this.#options.slots, this.#stage.buffer('results').size / (RESULT_WORDS * 4));
  }

  #isWanted(pending: Pending): boolean {
    return this.#work(pending.run.slot).queue.includes(pending);
  }

  /** Pages for the next rows of a run: idle slots give way, the longest unused first, then the one that began last. */
  #hasPages(pending: Pending, rows: number): boolean {
    const work = this.#work(pending.run.slot);
    work.lastUse = ++this.#uses;
    const needed = pagesOf(pending.run.first + pending.taken + rows);
    if (needed > this.#stage.plan.pagesPerSlot) return this.#lose(work);
    while (work.pages.length < needed) {
      const pages = this.#pool.take(needed - work.pages.length);
      if (pages !== undefined) {
        work.pages.push(...pages);
        this.#steps.setPages(work.index, work.pages);
        break;
      }
      const holders = this.#slots.filter((other) => other.pages.length > 0 || other === work);
      const idle = holders.filter(({ begun }) => begun === 0).sort((a, b) => a.lastUse - b.lastUse)[0];
      const gives = idle ?? holders.sort((a, b) => b.begun - a.begun)[0] ?? work;
      this.#lose(gives);
      if (gives === work) return false;
    }
    return true;
  }

  #lose(work: SlotWork): false {
    this.free(work.index);
    this.#options.onSlotLost(work.index);
    return false;
  }

  #work(slot: number): SlotWork {
    const work = this.#slots[slot];
    if (work === undefined) throw new InternalError(`Slot ${slot} is over the ${this.#slots.length} of this stage.`);
    return work;
  }
}

interface SlotWork {
  readonly index: number;
  readonly pages: number[];
  /** In order; the first may be on its way. */
  readonly queue: Pending[];
  lastUse: number;
  /** Which of all beginnings was its; 0: idle, nothing of it is wanted just now. */
  begun: number;
}

interface Pending {
  readonly run: StageRun;
  /** Rows that were submitted, and those whose hidden states were read. */
  taken: number;
  read: number;
  hidden: Float32Array<ArrayBuffer> | undefined;
}

interface Part {
  readonly pending: Pending;
  readonly from: number;
  readonly rows: number;
}

function stepRows(run: StageRun, from: number, rows: number): StepRow[] {
  return Array.from({ length: rows }, (_, i) => ({
    token: run.tokens?.[from + i] ?? 0,
    position: run.first + from + i,
    slot: run.slot,
    fromSampled: false,
    wantsLogits: run.sample && from + i === run.rows - 1,
  }));
}
