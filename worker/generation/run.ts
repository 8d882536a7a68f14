import type { RoomLine } from '../api.ts';
import { ModelError } from '../errors.ts';
import type { SampledToken, SamplerParameters } from '../gpu/sampler.ts';
import type { StepRow } from '../gpu/step.ts';
import type { Slot } from './slots.ts';

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
  /** What the devices of a room do about it, where several compute. */
  readonly onRoom?: (line: RoomLine) => void;
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

/** A request that has no slot yet. */
export interface Waiting {
  readonly request: TokenRequest;
  readonly queuedAt: number;
  readonly resolve: (run: TokenRun) => void;
  readonly reject: (error: unknown) => void;
}

/** Decode steps of a run that may be on their way before the CPU has read the first one's token. */
const STEPS_AHEAD = 3;

/** One answer while it is computed: its tokens, how far they went to the GPU, what came back. */
export class Run {
  readonly request: TokenRequest;
  readonly slot: Slot;
  readonly reusedTokens: number;
  /** Gave its pages to another run; computes its tokens again when there is room. */
  suspended = false;
  readonly #waiting: Waiting;
  readonly #contextTokens: number;
  /** The prompt, and what was read of the answer: `#tokens[i]` is at position i. */
  readonly #tokens: number[];
  /** Positions whose tokens are known: those after are fed from what was sampled. */
  #promptLength: number;
  /** Next position to compute; rows before it were submitted. */
  #next: number;
  /** Steps whose token was not read yet. */
  #inFlight = 0;
  #produced = 0;
  #firstTokenAt = 0;
  #lastTokenAt = 0;
  #ended = false;

  /** @param reused positions whose keys and values are in the slot */
  constructor(waiting: Waiting, slot: Slot, reused: number, contextTokens: number) {
    this.#waiting = waiting;
    this.request = waiting.request;
    this.slot = slot;
    this.reusedTokens = reused;
    this.#contextTokens = contextTokens;
    this.#tokens = [...waiting.request.tokens];
    this.#promptLength = this.#tokens.length;
    this.#next = reused;
  }

  /** Its promise is settled: what still comes from the GPU is dropped, at most the steps in flight. */
  get ended(): boolean {
    return this.#ended;
  }

  get promptLeft(): number {
    return Math.max(0, this.#promptLength - this.#next);
  }

  /** Positions whose rows were submitted, or were there. */
  get submitted(): number {
    return this.#next;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  get mayDecode(): boolean {
    return (
      this.promptLeft === 0 &&
      this.#inFlight < STEPS_AHEAD &&
      this.#produced + this.#inFlight < this.request.maxTokens &&
      this.#next < this.#contextTokens
    );
  }

  /** Tokens whose keys and values are computed or on their way. */
  get tokensInSlot(): readonly number[] {
    return this.#tokens.slice(0, this.#next);
  }

  /** Positions that it needs pages for, with `answerTokens` more of the answer. */
  positionsWith(answerTokens: number): number {
    return this.#tokens.length + Math.min(this.request.maxTokens - this.#produced, answerTokens);
  }

  /** The next so many rows. The last of the prompt and those after it want a next token. */
  takeRows(count: number): StepRow[] {
    return Array.from({ length: count }, () => {
      const position = this.#next++;
      const token = this.#tokens[position];
      const wantsLogits = position >= this.#promptLength - 1;
      if (wantsLogits) this.#inFlight++;
      return { token: token ?? 0, position, slot: this.slot.index, fromSampled: token === undefined, wantsLogits };
    });
  }

  /**
   * A token came back: why the run ends with it, undefined where it goes on.
   * @throws ModelError where the logits were no numbers, and what `onToken` throws
   */
  read(sampled: SampledToken): TokenRun['finish'] | undefined {
    this.#inFlight--;
    if (this.#ended) return undefined;
    if (!sampled.finite) {
      throw noNumbers();
    }
    this.#lastTokenAt = performance.now();
    if (this.#produced === 0) this.#firstTokenAt = this.#lastTokenAt;
    this.#produced++;
    this.#tokens.push(sampled.token);
    if (this.request.onToken(sampled)) return 'ended';
    if (this.#produced >= this.request.maxTokens) return 'max-tokens';
    return this.#tokens.length >= this.#contextTokens ? 'context-full' : undefined;
  }

  /** Its pages were taken: all tokens, those of the answer too, are a prompt again. */
  suspend(): void {
    this.suspended = true;
    this.#promptLength = this.#tokens.length;
    this.#next = 0;
  }

  finish(finish: TokenRun['finish']): void {
    this.#ended = true;
    this.#waiting.resolve({
      finish,
      reusedTokens: this.reusedTokens,
      answerTokens: this.#produced,
      firstTokenMs: this.#produced === 0 ? 0 : this.#firstTokenAt - this.#waiting.queuedAt,
      decodeMs: this.#lastTokenAt - this.#firstTokenAt,
    });
  }

  fail(error: unknown): void {
    this.#ended = true;
    this.#waiting.reject(error);
  }
}

/** What an answer ends with whose logits are no numbers. */
export function noNumbers(): ModelError {
  return new ModelError(
    'The model gave numbers that are infinite or none at all: its file is damaged, or too large values overflow here.',
  );
}
