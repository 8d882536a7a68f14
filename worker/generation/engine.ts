import { CancelledError, InternalError, ModelError, PersonError } from '../errors.ts';
import { readResult, type SampledToken, type SamplerParameters } from '../gpu/sampler.ts';
import { PAGE_POSITIONS, type StepRow } from '../gpu/step.ts';
import type { Stage } from '../models/stage.ts';
import { bucketFor, ChunkSizer } from './chunks.ts';
import { PagePool } from './pages.ts';
import { StepRunner } from './steps.ts';

export interface TokenRequest {
  /** Requests of one conversation share keys and values as far as their tokens agree. */
  readonly conversation: string;
  /** The whole prompt. */
  readonly tokens: readonly number[];
  /** How many of `tokens`, at the end, the model said itself (they count for frequency and presence penalties). */
  readonly generatedTokens?: number;
  readonly sampler: SamplerParameters;
  readonly maxTokens: number;
  /** Called for each token in order; true ends the run with it. */
  readonly onToken: (sampled: SampledToken) => boolean;
  readonly onPrefill?: (doneTokens: number, reusedTokens: number) => void;
  readonly signal: AbortSignal;
}

export interface TokenRun {
  readonly finish: 'ended' | 'max-tokens' | 'stopped' | 'context-full';
  readonly reusedTokens: number;
  readonly answerTokens: number;
  readonly firstTokenMs: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
}

/** Decode steps of a session that may be on their way before the CPU has read the first one's token. */
const STEPS_AHEAD = 3;

/** Room for so many tokens of an answer is taken before it begins; more as it grows. */
const ANSWER_TOKENS = 256;

interface Session {
  readonly conversation: string;
  readonly slot: number;
  pages: readonly number[];
  /** Tokens whose keys and values are computed or on their way: `tokens[i]` is at position i. */
  tokens: number[];
  lastUsed: number;
  run: Run | undefined;
}

interface Run {
  readonly request: TokenRequest;
  readonly session: Session;
  /** Positions whose tokens are known: those after are fed from what was sampled. */
  promptLength: number;
  /** Gave its pages to another run; computes its tokens again when there is room. */
  suspended: boolean;
  readonly reusedTokens: number;
  /** Next position to compute; rows before it were submitted. */
  next: number;
  /** Steps whose token was not read yet. */
  inFlight: number;
  produced: number;
  readonly startedAt: number;
  firstTokenAt: number;
  lastTokenAt: number;
  readonly resolve: (run: TokenRun) => void;
  readonly reject: (error: unknown) => void;
}

interface Waiting {
  readonly request: TokenRequest;
  readonly queuedAt: number;
  readonly resolve: (run: TokenRun) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Several sessions on one stage that holds a whole model. Each step takes a row of every session that decodes, or a
 * chunk of one prompt; prompts and decoding take turns. Sampled tokens feed the next step on the GPU.
 */
export class Engine {
  readonly #stage: Stage;
  readonly #steps: StepRunner;
  readonly #pool: PagePool;
  readonly #slots: (Session | undefined)[];
  readonly #waiting: Waiting[] = [];
  readonly #chunks = new ChunkSizer();
  readonly #contextTokens: number;
  #looping = false;
  #prefillLast = false;
  #wake: () => void = () => {};
  #ended: unknown;
  #closed = false;

  constructor(stage: Stage, contextTokens: number, slots: number) {
    this.#stage = stage;
    this.#steps = new StepRunner(stage);
    this.#pool = new PagePool(stage.plan.pages);
    this.#slots = new Array(slots).fill(undefined);
    this.#contextTokens = contextTokens;
    void stage.gpu.failure.then((error) => this.#end(error));
  }

  get contextTokens(): number {
    return this.#contextTokens;
  }

  /** Rejects with PersonError (details.contextFull) when the prompt fills the context, DeviceError, or what `signal` says. */
  generate(request: TokenRequest): Promise<TokenRun> {
    if (request.tokens.length === 0) throw new InternalError('A prompt has at least one token.');
    if (request.tokens.length >= this.#contextTokens) {
      throw new PersonError(
        `The conversation takes ${request.tokens.length} tokens and the context holds ${this.#contextTokens}. Drop the oldest turns, or begin a new chat.`,
        { contextFull: true, neededTokens: request.tokens.length, contextTokens: this.#contextTokens },
      );
    }
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { request, queuedAt: performance.now(), resolve, reject };
      this.#waiting.push(waiting);
      request.signal.addEventListener('abort', () => this.#wake(), { once: true });
      this.#wake();
      void this.#loop();
    });
  }

  /** Frees what a conversation keeps here; a running one keeps it until it ends. */
  forget(conversation: string): void {
    const session = this.#slots.find((entry) => entry?.conversation === conversation);
    if (session !== undefined && session.run === undefined) this.#drop(session);
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
        if (!this.#slots.some((session) => session?.run) && this.#waiting.length === 0) break;
        await woken; // a token was read, a request came, one was stopped
      }
    } catch (error) {
      this.#end(await this.#stage.gpu.causeOf(error));
    } finally {
      this.#looping = false;
    }
  }

  /** Submits a step; false when there is none to submit now. */
  async #step(): Promise<boolean> {
    if (!this.#steps.hasRoom) return false;
    const runs = this.#slots.flatMap((session) => session?.run ?? []);
    const active = runs.filter((run) => !run.suspended || this.#resume(run));
    const prompts = active.filter((run) => run.next < run.promptLength);
    const ready = active.filter((run) => run.next >= run.promptLength && this.#mayDecode(run));
    const decoding = ready.filter((run) => this.#hasPages(run.session, run.next + 1));
    const prompt = prompts[0];
    if (prompt !== undefined && (decoding.length === 0 || !this.#prefillLast)) {
      this.#prefillLast = true;
      await this.#prefill(prompt);
      return true;
    }
    this.#prefillLast = false;
    if (decoding.length === 0) {
      const youngest = active.at(-1);
      const stuck = ready.length > 0 && active.length > 1 && active.every(({ inFlight }) => inFlight === 0);
      if (youngest !== undefined && stuck) this.#suspend(youngest);
      return stuck;
    }
    await this.#decode(decoding);
    return true;
  }

  #mayDecode(run: Run): boolean {
    const sampled = run.produced + run.inFlight;
    return run.inFlight < STEPS_AHEAD && sampled < run.request.maxTokens && run.next < this.#contextTokens;
  }

  async #prefill(run: Run): Promise<void> {
    const rows = Math.min(this.#chunks.rows, run.promptLength - run.next);
    const isLast = run.next + rows === run.promptLength;
    await this.#steps.prepare(rows, isLast ? 1 : 0);
    const step = Array.from({ length: rows }, (_, i) => this.#row(run, run.next + i, isLast && i === rows - 1));
    run.next += rows;
    const begin = performance.now();
    this.#submit(step, isLast ? [run] : []);
    await this.#steps.idle();
    this.#chunks.measured(bucketFor(rows), performance.now() - begin);
    run.request.onPrefill?.(run.next, run.reusedTokens);
  }

  async #decode(decoding: readonly Run[]): Promise<void> {
    await this.#steps.throttle();
    await this.#steps.prepare(decoding.length, decoding.length);
    const runs = decoding.filter((run) => run.session.run === run); // some may have ended meanwhile
    if (runs.length === 0) return;
    await this.#steps.prepare(runs.length, runs.length);
    const step = runs.map((run) => this.#row(run, run.next, true));
    for (const run of runs) run.next++;
    this.#submit(step, runs);
  }

  #row(run: Run, position: number, wantsLogits: boolean): StepRow {
    const token = position < run.session.tokens.length ? run.session.tokens[position] : undefined;
    const slot = run.session.slot;
    return { token: token ?? 0, position, slot, fromSampled: token === undefined, wantsLogits };
  }

  #submit(rows: readonly StepRow[], sampling: readonly Run[]): void {
    for (const run of sampling) run.inFlight++;
    const results = this.#steps.submit(rows);
    if (results === undefined) return;
    results.then(
      (words) => {
        sampling.forEach((run, i) => {
          run.inFlight--;
          this.#take(run, readResult(words, i));
        });
        this.#wake();
      },
      async (error) => this.#end(await this.#stage.gpu.causeOf(error)),
    );
  }

  /** A token was read. Tokens of a run that ended are dropped: at most the steps in flight. */
  #take(run: Run, sampled: SampledToken): void {
    if (run.session.run !== run) return;
    if (!sampled.finite) {
      this.#settle(run);
      run.reject(
        new ModelError(
          'The model gave numbers that are infinite or none at all: its file is damaged, or too large values overflow here.',
        ),
      );
      return;
    }
    const now = performance.now();
    if (run.produced === 0) run.firstTokenAt = now;
    run.lastTokenAt = now;
    run.produced++;
    run.session.tokens.push(sampled.token);
    try {
      if (run.request.onToken(sampled)) this.#finish(run, 'ended');
      else if (run.produced >= run.request.maxTokens) this.#finish(run, 'max-tokens');
      else if (run.session.tokens.length >= this.#contextTokens) this.#finish(run, 'context-full');
    } catch (error) {
      this.#settle(run);
      run.reject(error);
    }
  }

  #finish(run: Run, finish: TokenRun['finish']): void {
    this.#settle(run);
    run.resolve({
      finish,
      reusedTokens: run.reusedTokens,
      answerTokens: run.produced,
      firstTokenMs: run.produced === 0 ? 0 : run.firstTokenAt - run.startedAt,
      decodeMs: run.lastTokenAt - run.firstTokenAt,
    });
  }

  /** The session stays, with the tokens whose keys and values are really there. */
  #settle(run: Run): void {
    const { session } = run;
    session.tokens.length = Math.min(session.tokens.length, run.next);
    const used = Math.ceil(session.tokens.length / PAGE_POSITIONS);
    this.#pool.give(session.pages.slice(used));
    session.pages = session.pages.slice(0, used);
    session.run = undefined;
    session.lastUsed = performance.now();
  }

  #cancel(): void {
    for (const session of this.#slots) {
      if (session?.run?.request.signal.aborted) this.#finish(session.run, 'stopped');
    }
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
    if (this.#slots.some((session) => session?.run?.suspended)) return;
    for (let i = 0; i < this.#waiting.length; ) {
      const waiting = this.#waiting[i];
      if (waiting === undefined) return;
      const { conversation } = waiting.request;
      if (this.#slots.some((entry) => entry?.conversation === conversation && entry.run !== undefined)) {
        i++;
        continue;
      }
      const session = this.#place(waiting.request);
      if (session === undefined) return;
      this.#waiting.splice(i, 1);
      this.#start(session, waiting);
    }
  }

  /** A slot with pages for the prompt and the answer's beginning; idle sessions make room. Undefined: wait. */
  #place(request: TokenRequest): Session | undefined {
    let session = this.#slots.find((entry) => entry?.conversation === request.conversation);
    if (session === undefined) {
      const free = this.#slots.indexOf(undefined);
      const idle = free >= 0 ? undefined : this.#oldestIdle();
      if (free < 0 && idle === undefined) return undefined;
      if (idle !== undefined) this.#drop(idle);
      const slot = free >= 0 ? free : (idle?.slot ?? 0);
      session = { conversation: request.conversation, slot, pages: [], tokens: [], lastUsed: 0, run: undefined };
      this.#slots[slot] = session;
    }
    const answer = Math.min(request.maxTokens, ANSWER_TOKENS);
    if (this.#hasPages(session, request.tokens.length + answer)) return session;
    if (session.tokens.length === 0) this.#drop(session);
    return undefined;
  }

  /** Whether a session has pages for so many positions, after taking those that are free or idle. */
  #hasPages(session: Session, positions: number): boolean {
    const needed = Math.ceil(Math.min(this.#contextTokens, positions) / PAGE_POSITIONS);
    const missing = needed - session.pages.length;
    if (missing <= 0) return true;
    for (;;) {
      const pages = this.#pool.take(missing);
      if (pages !== undefined) {
        session.pages = [...session.pages, ...pages];
        this.#steps.setPages(session.slot, session.pages);
        return true;
      }
      const idle = this.#oldestIdle(session);
      if (idle === undefined) return false;
      this.#drop(idle);
    }
  }

  /** Every run waits for pages that the others hold: one gives way, and computes its tokens again later. */
  #suspend(run: Run): void {
    const { session } = run;
    this.#pool.give(session.pages);
    session.pages = [];
    run.promptLength = session.tokens.length;
    run.next = 0;
    run.suspended = true;
  }

  #resume(run: Run): boolean {
    const left = Math.min(run.request.maxTokens - run.produced, ANSWER_TOKENS);
    run.suspended = !this.#hasPages(run.session, run.session.tokens.length + left);
    return !run.suspended;
  }

  #start(session: Session, { request, queuedAt, resolve, reject }: Waiting): void {
    const { tokens } = request;
    let common = 0;
    const most = Math.min(session.tokens.length, tokens.length - 1); // the last row gives the first token
    while (common < most && session.tokens[common] === tokens[common]) common++;
    session.tokens = [...tokens];
    const run: Run = {
      request,
      session,
      promptLength: tokens.length,
      suspended: false,
      reusedTokens: common,
      next: common,
      inFlight: 0,
      produced: 0,
      startedAt: queuedAt,
      firstTokenAt: 0,
      lastTokenAt: 0,
      resolve,
      reject,
    };
    session.run = run;
    this.#steps.setSampler(session.slot, request.sampler, tokens, request.generatedTokens ?? 0);
    request.onPrefill?.(common, common);
  }

  #oldestIdle(except?: Session): Session | undefined {
    let oldest: Session | undefined;
    for (const session of this.#slots) {
      if (session === undefined || session.run !== undefined || session === except) continue;
      if (oldest === undefined || session.lastUsed < oldest.lastUsed) oldest = session;
    }
    return oldest;
  }

  #drop(session: Session): void {
    this.#pool.give(session.pages);
    this.#slots[session.slot] = undefined;
  }

  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    for (const session of this.#slots) {
      const run = session?.run;
      if (session === undefined || run === undefined) continue;
      session.run = undefined;
      run.reject(error);
    }
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    this.#wake();
  }
}
