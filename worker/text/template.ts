import { CancelledError, InternalError, ModelError } from '../errors.ts';
import type { ChatTurn } from './types.ts';

/** How long a chat template may take: real ones need a few milliseconds. */
export const TEMPLATE_LIMIT_MS = 2000;
/** How long the worker may take to start, on a slow phone whose page was just opened. */
const START_LIMIT_MS = 15_000;

export interface ChatOptions {
  /** Texts of the beginning and end tokens, empty where the vocabulary has none. */
  readonly bosToken: string;
  readonly eosToken: string;
  /** End with what opens the assistant's turn. */
  readonly addGenerationPrompt: boolean;
  /** For templates that can switch reasoning; theirs to decide unless given. */
  readonly enableThinking?: boolean;
  /** Time for templates that tell the date, ms since 1970; now unless given. */
  readonly nowMs?: number;
}

export interface TemplateRequest extends ChatOptions {
  readonly template: string;
  readonly turns: readonly ChatTurn[];
  readonly nowMs: number;
}

export type TemplateReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'text'; readonly text: string }
  /** The template raised an error of its own about the conversation. */
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

/** What is used of a `Worker`, so that tests can give another. */
export type TemplateWorker = Pick<Worker, 'addEventListener' | 'removeEventListener' | 'postMessage' | 'terminate'>;

export interface TemplateRenderer {
  /**
   * The prompt that a checkpoint's Jinja template makes of a conversation. A template that refuses system turns gets
   * the system text in front of the first turn of the user.
   *
   * @throws ModelError with `details.reason` 'template-refused' | 'template-failed' | 'template-timeout': the caller may
   * offer `renderFallback` then; CancelledError when `signal` fires; InternalError when the worker does not start
   */
  renderChat(template: string, turns: readonly ChatTurn[], options: ChatOptions, signal?: AbortSignal): Promise<string>;
  /** Ends the worker; a later call starts another. */
  close(): void;
}

/**
 * Renders chat templates in a worker that is thrown away when a template takes too long or fails, and kept for the
 * next turn otherwise.
 */
export function createTemplateRenderer(dependencies: {
  readonly spawn: () => TemplateWorker;
  readonly timeLimitMs?: number;
}): TemplateRenderer {
  const { spawn, timeLimitMs = TEMPLATE_LIMIT_MS } = dependencies;
  let worker: TemplateWorker | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const close = () => {
    worker?.terminate();
    worker = undefined;
  };

  async function render(request: TemplateRequest, signal: AbortSignal | undefined): Promise<TemplateReply> {
    try {
      if (!worker) {
        worker = spawn();
        await next(worker, START_LIMIT_MS, signal, () => couldNotStart());
      }
      const reply = next(worker, timeLimitMs, signal, () => tookTooLong(timeLimitMs));
      worker.postMessage(request);
      const answer = await reply;
      if (answer.kind !== 'text') close();
      return answer;
    } catch (error) {
      close();
      throw error;
    }
  }

  async function renderChat(request: TemplateRequest, signal: AbortSignal | undefined): Promise<string> {
    const reply = await render(request, signal);
    if (reply.kind === 'text') return reply.text;
    const merged = reply.kind === 'refused' ? withoutSystem(request.turns) : undefined;
    if (merged) {
      const second = await render({ ...request, turns: merged }, signal);
      if (second.kind === 'text') return second.text;
    }
    throw failure(reply);
  }

  return {
    renderChat(template, turns, options, signal) {
      const request = { ...options, template, turns, nowMs: options.nowMs ?? Date.now() };
      const result = last.then(() => renderChat(request, signal));
      last = result.catch(() => undefined);
      return result;
    },
    close,
  };
}

/** The worker's next message, or an error: of the worker, of the clock, of the caller. */
function next(
  worker: TemplateWorker,
  limitMs: number,
  signal: AbortSignal | undefined,
  tooLate: () => Error,
): Promise<TemplateReply> {
  return new Promise((resolve, reject) => {
    const settle = (action: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      worker.removeEventListener('message', onMessage);
      worker.removeEventListener('error', onError);
      action();
    };
    const timer = setTimeout(() => settle(() => reject(tooLate())), limitMs);
    const onAbort = () => settle(() => reject(new CancelledError('Stopped.')));
    const onMessage = (event: MessageEvent<TemplateReply>) => settle(() => resolve(event.data));
    const onError = (event: ErrorEvent) => {
      settle(() => reject(failure({ kind: 'failed', message: event.message || 'the worker ended' })));
    };
    worker.addEventListener('message', onMessage);
    worker.addEventListener('error', onError);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
  });
}

function failure(reply: Exclude<TemplateReply, { kind: 'text' }>): ModelError {
  if (reply.kind === 'refused') {
    return new ModelError(`The model's chat template refuses this conversation: ${reply.message}`, {
      reason: 'template-refused',
    });
  }
  const cause = reply.kind === 'failed' ? reply.message : 'it gave no text';
  return new ModelError(`The model's chat template could not be run: ${cause}`, { reason: 'template-failed' });
}

function tookTooLong(limitMs: number): ModelError {
  return new ModelError(`The model's chat template took longer than ${limitMs / 1000} s and was stopped.`, {
    reason: 'template-timeout',
  });
}

function couldNotStart(): InternalError {
  return new InternalError('The worker for chat templates did not start. Reload the page.');
}

/** The conversation with its system text in the first turn of the user; undefined where there is nothing to move. */
function withoutSystem(turns: readonly ChatTurn[]): readonly ChatTurn[] | undefined {
  const [system, first, ...rest] = turns;
  if (system?.role !== 'system' || first?.role !== 'user') return undefined;
  return [{ role: 'user', content: `${system.content}\n\n${first.content}` }, ...rest];
}
