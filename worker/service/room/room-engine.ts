import type { RoomLine } from '../../api.ts';
import { PersonError } from '../../errors.ts';
import { noNumbers, type TokenRequest, type TokenRun } from '../../generation/run.ts';
import { readResult, type SampledToken } from '../../gpu/sampler.ts';
import type { Input, Status } from '../../mesh/room/io.ts';
import type { DeviceId, ModelKey, SessionId } from '../../mesh/types.ts';
import type { SessionEvent } from './room-host.ts';
import type { RoomSampler } from './room-sampler.ts';
import type { Rows } from './rows.ts';
import { sessionOf } from './session-id.ts';

interface Running {
  readonly request: TokenRequest;
  readonly begin: number;
  firstTokenAt: number;
  lastTokenAt: number;
  /** Position of the next token that the person has not seen. */
  next: number;
  reused: number | undefined;
  produced: number;
  /** What it ends with, once the room has stopped. */
  finish: TokenRun['finish'] | undefined;
  readonly resolve: (run: TokenRun) => void;
  readonly reject: (error: unknown) => void;
}

/** A model that the room runs, to be asked as the engine of this device is. */
export class RoomEngine {
  readonly contextTokens: number;
  readonly #device: DeviceId;
  readonly #model: ModelKey;
  readonly #endTokens: readonly number[];
  readonly #feed: (input: Input<Rows>) => void;
  readonly #nameOf: (device: DeviceId) => string;
  readonly #running = new Map<SessionId, Running>();
  /** Why it answers nothing any more. */
  #closed: { readonly error: unknown } | undefined;

  constructor(options: {
    /** This one, which drives. */
    readonly device: DeviceId;
    readonly model: ModelKey;
    readonly contextTokens: number;
    readonly endTokens: Iterable<number>;
    readonly feed: (input: Input<Rows>) => void;
    readonly nameOf: (device: DeviceId) => string;
  }) {
    this.#device = options.device;
    this.#model = options.model;
    this.contextTokens = options.contextTokens;
    this.#endTokens = [...options.endTokens];
    this.#feed = options.feed;
    this.#nameOf = options.nameOf;
  }

  /**
   * Computes an answer over the room's devices. Aborting ends it with what was said ('stopped').
   * @throws PersonError (`details.contextFull`) when the prompt fills the context, and what `onToken` throws
   */
  async generate(request: TokenRequest): Promise<TokenRun> {
    const { tokens, signal } = request;
    if (tokens.length >= this.contextTokens) {
      throw new PersonError(
        `The conversation takes ${tokens.length} tokens and the context holds ${this.contextTokens}. Drop the oldest turns, or begin a new chat.`,
        { contextFull: true, neededTokens: tokens.length, contextTokens: this.contextTokens },
      );
    }
    const session = await sessionOf(request.conversation, this.#device);
    const sampler: RoomSampler = {
      ...request.sampler,
      promptTokens: tokens.length - (request.generatedTokens ?? 0),
    };
    return new Promise((resolve, reject) => {
      const begin = performance.now();
      const running: Running = {
        request,
        begin,
        firstTokenAt: 0,
        lastTokenAt: 0,
        next: tokens.length,
        reused: undefined,
        produced: 0,
        finish: undefined,
        resolve,
        reject,
      };
      if (this.#closed !== undefined) {
        reject(this.#closed.error);
        return;
      }
      if (signal.aborted) {
        resolve(runOf(running, 'stopped'));
        return;
      }
      this.#running.set(session, running);
      signal.addEventListener('abort', () => this.#stop(session, running, 'stopped'), { once: true });
      this.#feed({
        kind: 'answer',
        session,
        model: this.#model,
        tokens,
        maxTokens: request.maxTokens,
        stopTokens: this.#endTokens,
        sampler,
      });
    });
  }

  /** The session is forgotten: an answer in it ends with what was said, whatever becomes of it in the room. */
  end(session: SessionId): void {
    const running = this.#running.get(session);
    this.#running.delete(session);
    running?.resolve(runOf(running, 'stopped'));
  }

  receive(event: SessionEvent): void {
    const running = this.#running.get(event.session);
    if (running === undefined) return;
    const { request } = running;
    switch (event.kind) {
      case 'prefill':
        // after a loss stages read again what was said already: nobody waits for a prompt then
        if (running.produced > 0) return;
        running.reused ??= event.done;
        request.onPrefill?.(event.done, running.reused);
        return;
      case 'tokens':
        for (const [i, token] of event.tokens.entries()) {
          const sampled = i === event.tokens.length - 1 ? sampledOf(token, event.extra) : sampledOf(token, undefined);
          this.#token(event.session, running, event.first + i, sampled);
        }
        return;
      case 'answered':
        this.#running.delete(event.session);
        if (event.finish === 'failed') running.reject(givenUp());
        else running.resolve(runOf(running, running.finish ?? finishOf(event.finish)));
        return;
      case 'status':
        request.onRoom?.(this.#line(event.status));
        return;
      default:
        event satisfies never;
    }
  }

  /** The room is left: what runs, or would be asked, ends with `error`. */
  close(error: unknown): void {
    this.#closed = { error };
    for (const { reject } of this.#running.values()) reject(error);
    this.#running.clear();
  }

  #line(status: Status): RoomLine {
    if (status.kind === 'suspected') return { ...status, device: this.#nameOf(status.device) };
    if (status.kind !== 'moved') return status;
    const names = (devices: readonly DeviceId[]) => devices.map((device) => this.#nameOf(device));
    return { kind: 'moved', gone: names(status.gone), devices: names(status.devices) };
  }

  #token(session: SessionId, running: Running, position: number, sampled: SampledToken): void {
    if (position !== running.next || running.finish !== undefined) return;
    if (!sampled.finite) {
      this.#fail(session, running, noNumbers());
      return;
    }
    running.next++;
    running.produced++;
    running.lastTokenAt = performance.now();
    if (running.produced === 1) running.firstTokenAt = running.lastTokenAt;
    try {
      if (running.request.onToken(sampled)) this.#stop(session, running, 'ended');
    } catch (error) {
      this.#fail(session, running, error);
    }
  }

  #fail(session: SessionId, running: Running, error: unknown): void {
    this.#running.delete(session);
    this.#feed({ kind: 'stop', session });
    running.reject(error);
  }

  #stop(session: SessionId, running: Running, finish: TokenRun['finish']): void {
    if (this.#running.get(session) !== running || running.finish !== undefined) return;
    running.finish = finish;
    this.#feed({ kind: 'stop', session });
  }
}

function givenUp(): PersonError {
  return new PersonError(
    'The devices that hold this model gave this answer up each time it was begun. Ask again, or load the model anew.',
    { problem: 'room-gave-up' },
  );
}

function sampledOf(token: number, extra: Rows | undefined): SampledToken {
  if (extra === undefined) return { token, logProb: Number.NaN, top: [], finite: true };
  const { buffer, byteOffset, byteLength } = extra.bytes.slice();
  return readResult(new Uint32Array(buffer, byteOffset, byteLength / 4), 0);
}

function finishOf(finish: 'stop-token' | 'length' | 'stopped'): TokenRun['finish'] {
  return finish === 'stop-token' ? 'ended' : finish === 'length' ? 'max-tokens' : 'stopped';
}

function runOf(running: Running, finish: TokenRun['finish']): TokenRun {
  const { begin, firstTokenAt, lastTokenAt, produced, reused } = running;
  return {
    finish,
    reusedTokens: reused ?? 0,
    answerTokens: produced,
    firstTokenMs: produced === 0 ? 0 : firstTokenAt - begin,
    decodeMs: lastTokenAt - firstTokenAt,
  };
}
