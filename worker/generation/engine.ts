import { CancelledError, DeviceError, InternalError, PersonError } from '../errors.ts';
import { readResult } from '../gpu/sampler.ts';
import type { StepRow } from '../gpu/step.ts';
import type { Stage } from '../models/stage.ts';
import { bucketFor } from './chunks.ts';
import { Pace } from './pace.ts';
import { Run, type TokenRequest, type TokenRun, type Waiting } from './run.ts';
import { type Slot, Slots } from './slots.ts';
import { StepRunner } from './steps.ts';

/** Room for so many tokens of an answer is taken before it begins; more as it grows. */
const ANSWER_TOKENS = 256;
/** A device that is lost so soon after a chunk of a prompt was lost for the chunk, as far as one can tell. */
const LOST_AFTER_CHUNK_MS = 1000;

/**
 * Several conversations on one stage that holds a whole model. Each step takes a row of every run that decodes, or a
 * chunk of one prompt; prompts and decoding take turns. Sampled tokens feed the next step on the GPU.
 */
export class Engine {
  readonly #stage: Stage;
  readonly #steps: StepRunner;
  readonly #slots: Slots;
  /** Tokens whose keys and values an idle slot has; they go with it. */
  readonly #kept = new WeakMap<Slot, readonly number[]>();
  readonly #waiting: Waiting[] = [];
  /** In the order in which they began. */
  #runs: readonly Run[] = [];
  readonly #pace: Pace;
  readonly #contextTokens: number;
  #looping = false;
  #prefillLast = false;
  /** When the last chunk of a prompt was done; infinite while one runs. */
  #chunkEnd = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};
  #ended: unknown;
  #closed = false;

  /** @param pace what is known of this model's rate on this device; outlives the engine */
  constructor(stage: Stage, contextTokens: number, slots: number, pace = new Pace(stage.gpu.software)) {
    this.#stage = stage;
    this.#pace = pace;
    this.#steps = new StepRunner(stage, pace);
    const { pages } = stage.plan;
    this.#slots = new Slots({
      slots,
      pages,
      contextTokens,
      setPages: (slot, list) => this.#steps.setPages(slot, list),
    });
    this.#contextTokens = contextTokens;
    void stage.gpu.failure.then((error) => this.#end(error));
  }

  get contextTokens(): number {
    return this.#contextTokens;
  }

  /**
   * Computes an answer. Aborting ends it with what was said ('stopped').
   * @throws PersonError (`details.contextFull`) when the prompt fills the context; ModelError when logits are no numbers;
   * what `onToken` throws; what ended the engine
   */
  async generate(request: TokenRequest): Promise<TokenRun> {
    if (request.tokens.length === 0) throw new InternalError('A prompt has at least one token.');
    if (request.tokens.length >= this.#contextTokens) {
      throw new PersonError(
        `The conversation takes ${request.tokens.length} tokens and the context holds ${this.#contextTokens}. Drop the oldest turns, or begin a new chat.`,
        { contextFull: true, neededTokens: request.tokens.length, contextTokens: this.#contextTokens },
      );
    }
    if (this.#ended !== undefined) throw this.#ended;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, queuedAt: performance.now(), resolve, reject });
      request.signal.addEventListener('abort', () => this.#wake(), { once: true });
      this.#wake();
      void this.#loop();
    });
  }

  /** Frees what a conversation keeps here; a running one keeps it until it ends. */
  forget(conversation: string): void {
    const slot = this.#slots.of(conversation);
    if (slot !== undefined && !this.#isRunning(conversation)) this.#slots.free(slot);
  }

  /** Ends every run with `error`, for good. */
  close(error: unknown = new CancelledError('The model was unloaded.')): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end(error);
    this.#steps.free();
  }

  async #loop(): Promise<void> {
    if (this.#looping) return;
    this.#looping = true;
    try {
      while (this.#ended === undefined) {
        this.#cancel();
        this.#admit();
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        if (await this.#step()) continue;
        if (this.#runs.length === 0 && this.#waiting.length === 0) break;
        await woken; // a token was read, a request came, one was stopped
      }
    } catch (error) {
      this.#end(await this.#stage.gpu.causeOf(error));
    } finally {
      this.#looping = false;
    }
  }

  // ---------- steps ----------

  /** Submits a step; false when there is none to submit now. */
  async #step(): Promise<boolean> {
    if (!this.#steps.hasRoom) return false;
    const active = this.#runs.filter((run) => !run.suspended || this.#resume(run));
    const prompt = active.find(({ promptLeft }) => promptLeft > 0);
    const ready = active.filter(({ mayDecode }) => mayDecode);
    const decoding = ready.filter((run) => this.#slots.reserve(run.slot, run.submitted + 1));
    if (prompt !== undefined && (decoding.length === 0 || !this.#prefillLast)) {
      this.#prefillLast = true;
      await this.#prefill(prompt);
      return true;
    }
    this.#prefillLast = false;
    if (decoding.length === 0) {
      const youngest = active.at(-1);
      const stuck = ready.length > 0 && active.length > 1 && active.every(({ isIdle }) => isIdle);
      if (youngest !== undefined && stuck) this.#suspend(youngest);
      return stuck;
    }
    await this.#decode(decoding);
    return true;
  }

  async #prefill(run: Run): Promise<void> {
    const count = Math.min(this.#pace.rows, run.promptLeft);
    const isLast = count === run.promptLeft;
    await this.#steps.prepare(count, isLast ? 1 : 0);
    const begin = performance.now();
    this.#chunkEnd = Number.POSITIVE_INFINITY;
    this.#submit(run.takeRows(count), isLast ? [run] : []);
    await this.#steps.idle();
    this.#chunkEnd = performance.now();
    if (this.#stage.gpu.failed === undefined) this.#pace.measured(bucketFor(count), this.#chunkEnd - begin);
    run.request.onPrefill?.(run.submitted, run.reusedTokens);
  }

  async #decode(decoding: readonly Run[]): Promise<void> {
    await this.#steps.throttle();
    await this.#steps.prepare(decoding.length, decoding.length);
    const runs = decoding.filter(({ ended }) => !ended);
    if (runs.length === 0) return;
    await this.#steps.prepare(runs.length, runs.length);
    this.#submit(
      runs.flatMap((run) => run.takeRows(1)),
      runs,
    );
  }

  /** @param sampling the runs whose rows want a next token, in the order of the rows */
  #submit(rows: readonly StepRow[], sampling: readonly Run[]): void {
    const results = this.#steps.submit(rows);
    results?.then(
      (words) => {
        for (const [i, run] of sampling.entries()) this.#read(run, words, i);
        this.#wake();
      },
      async (error) => this.#end(await this.#stage.gpu.causeOf(error)),
    );
  }

  #read(run: Run, words: Uint32Array, row: number): void {
    try {
      const finish = run.read(readResult(words, row));
      if (finish !== undefined) this.#finish(run, finish);
    } catch (error) {
      this.#settle(run);
      run.fail(error);
    }
  }

  // ---------- who runs ----------

  #cancel(): void {
    for (const run of this.#runs) if (run.request.signal.aborted) this.#finish(run, 'stopped');
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiting = this.#waiting[i];
      if (waiting?.request.signal.aborted) {
        this.#waiting.splice(i, 1);
        waiting.resolve({ finish: 'stopped', reusedTokens: 0, answerTokens: 0, firstTokenMs: 0, decodeMs: 0 });
      }
    }
  }

  /** Gives waiting requests slots and pages, first come first served; a conversation's second waits for its first. */
  #admit(): void {
    if (this.#runs.some(({ suspended }) => suspended)) return;
    for (let i = 0; i < this.#waiting.length; ) {
      const waiting = this.#waiting[i];
      if (waiting === undefined) return;
      const { conversation, tokens, maxTokens } = waiting.request;
      if (this.#isRunning(conversation)) {
        i++;
        continue;
      }
      const slot = this.#slots.take(conversation, tokens.length + Math.min(maxTokens, ANSWER_TOKENS));
      if (slot === undefined) return;
      this.#waiting.splice(i, 1);
      this.#start(waiting, slot);
    }
  }

  #start(waiting: Waiting, slot: Slot): void {
    const { tokens, sampler, generatedTokens, onPrefill } = waiting.request;
    const reused = commonTokens(this.#kept.get(slot) ?? [], tokens.slice(0, -1)); // the last row gives the first token
    this.#runs = [...this.#runs, new Run(waiting, slot, reused, this.#contextTokens)];
    this.#steps.setSampler(slot.index, sampler, tokens, generatedTokens ?? 0);
    onPrefill?.(reused, reused);
  }

  /** Every run waits for pages that the others hold: one gives way, and computes its tokens again later. */
  #suspend(run: Run): void {
    this.#slots.truncate(run.slot, 0);
    run.suspend();
  }

  #resume(run: Run): boolean {
    run.suspended = !this.#slots.reserve(run.slot, run.positionsWith(ANSWER_TOKENS));
    return !run.suspended;
  }

  #finish(run: Run, finish: TokenRun['finish']): void {
    this.#settle(run);
    run.finish(finish);
  }

  /** The slot stays, with the tokens whose keys and values are really there. */
  #settle(run: Run): void {
    const tokens = run.tokensInSlot;
    this.#kept.set(run.slot, tokens);
    this.#slots.truncate(run.slot, tokens.length);
    this.#slots.release(run.slot);
    this.#runs = this.#runs.filter((other) => other !== run);
  }

  #isRunning(conversation: string): boolean {
    return this.#runs.some(({ request }) => request.conversation === conversation);
  }

  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    const isLost = error instanceof DeviceError && error.details.reason === 'lost';
    if (isLost && performance.now() - this.#chunkEnd < LOST_AFTER_CHUNK_MS) this.#pace.lost();
    for (const run of this.#runs) run.fail(error);
    this.#runs = [];
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    this.#wake();
  }
}

function commonTokens(a: readonly number[], b: readonly number[]): number {
  let common = 0;
  while (common < a.length && common < b.length && a[common] === b[common]) common++;
  return common;
}
