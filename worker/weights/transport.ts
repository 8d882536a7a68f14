import { CancelledError, ModelError, PersonError, RetryError, type ShoalError } from '../errors.ts';
import { chunkReader } from './chunks.ts';

/** What requests need of the platform; tests pass others. */
export interface Transport {
  readonly fetch: typeof fetch;
  /** Waits, or rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** False only where the platform knows that there is no network. */
  readonly online: () => boolean;
  /** Address of the page, where there is one. */
  readonly page: () => URL | undefined;
  /** A request that brings nothing for so long is given up and made again, ms. */
  readonly stallMs: number;
}

const STALL_MS = 30_000;
const BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 15_000;
/** Longer waits that a server asks for are the person's to decide. */
const MAX_WAIT_MS = 60_000;
const CONTACT_RETRIES = 2;

export const platformTransport: Transport = {
  fetch: (input, init) => globalThis.fetch(input, init),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(stopped(signal));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      }, ms);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }),
  online: () => globalThis.navigator?.onLine !== false,
  page: () => (globalThis.location ? new URL(globalThis.location.href) : undefined),
  stallMs: STALL_MS,
};

/** A failure that may pass by itself. Never leaves this folder: it ends as a RetryError. */
export class PassingFailure extends Error {
  /** How long the server asked to wait, ms. */
  readonly waitMs: number | undefined;
  readonly status: number | undefined;
  constructor(message: string, status?: number, waitMs?: number) {
    super(message);
    this.status = status;
    this.waitMs = waitMs;
  }
}

/** No answer at all: no network, no such host, or the browser withheld the answer (CORS). */
export class NoAnswer extends PassingFailure {}

/** One request after another on behalf of one caller, each watched for stalls, all ended by `close`. */
export class Exchange {
  readonly #transport: Transport;
  readonly #signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #forward = () => this.#abort.abort(this.#signal.reason);

  constructor(transport: Transport, signal: AbortSignal) {
    this.#transport = transport;
    this.#signal = signal;
    if (signal.aborted) throw stopped(signal);
    signal.addEventListener('abort', this.#forward, { once: true });
  }

  /** Sends and waits for the answer's head. Throws NoAnswer, PassingFailure (stalled), CancelledError. */
  async send(address: string, init: RequestInit): Promise<Response> {
    return this.#watched(
      this.#transport.fetch(address, {
        cache: 'no-store',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        ...init,
        signal: this.#abort.signal,
      }),
    );
  }

  /**
   * The body in chunks as they come, each of which stands until the next is asked for; leaving early cancels it.
   * Throws as `send`.
   */
  async *chunks(response: Response): AsyncGenerator<Uint8Array, void> {
    if (!response.body) return;
    const reader = chunkReader(response.body);
    let ended = false;
    try {
      for (;;) {
        const chunk = await this.#watched(reader.read());
        if (!chunk) break;
        yield chunk;
      }
      ended = true;
    } finally {
      if (!ended) await discard(reader);
    }
  }

  /** Ends what is still under way and lets go of the caller's signal. */
  close(): void {
    this.#signal.removeEventListener('abort', this.#forward);
    this.#abort.abort();
  }

  async #watched<T>(work: Promise<T>): Promise<T> {
    let stalled = false;
    const timer = setTimeout(() => {
      stalled = true;
      this.#abort.abort();
    }, this.#transport.stallMs);
    try {
      return await work;
    } catch (error) {
      if (this.#signal.aborted) throw stopped(this.#signal);
      if (stalled) throw new PassingFailure(`nothing came for ${Math.round(this.#transport.stallMs / 1000)} s`);
      throw new NoAnswer(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Cancels a body that nobody reads, so that its connection is free. */
export async function discard(body: { cancel(): Promise<void> } | Response): Promise<void> {
  try {
    await (body instanceof Response ? body.body?.cancel() : body.cancel());
  } catch {
    // The connection broke meanwhile: nothing is left to cancel.
  }
}

export function stopped(signal: AbortSignal): CancelledError {
  return new CancelledError('Stopped.', {}, signal.reason);
}

/** What an answer without the wanted content means, or undefined for 2xx. `who` is the host, for the message. */
export function statusFailure(response: Response, who: string): ShoalError | PassingFailure | undefined {
  const { status } = response;
  if (status >= 200 && status < 300) return undefined;
  const details = { status };
  if (status === 401 || status === 403) {
    return new PersonError(
      `${who} refuses this file (${status}): it asks for a sign-in that Shoal cannot give. Download the file in the browser, then pick it from this device.`,
      details,
    );
  }
  if (status === 404 || status === 410) {
    return new ModelError(`${who} has no such file (${status}). Check the address, or choose another model.`, details);
  }
  if (status === 416) {
    return new ModelError(
      `${who} says that the file ends earlier (416): it changed or is truncated. Load it anew.`,
      details,
    );
  }
  if (status === 429) return new PassingFailure(`${who} asks to slow down (429)`, status, waitAsked(response.headers));
  if (status === 408 || status === 425 || status >= 500) {
    return new PassingFailure(`${who} has trouble (${status})`, status, waitAsked(response.headers));
  }
  return new ModelError(`${who} answered ${status}, which Shoal does not expect. Choose another source.`, details);
}

/**
 * How long a server asks to wait, ms: `Retry-After` (seconds or a date), else the hub's `RateLimit: "api";r=0;t=55`
 * (https://huggingface.co/docs/hub/rate-limits).
 */
export function waitAsked(headers: Headers, now = Date.now()): number | undefined {
  const after = headers.get('retry-after')?.trim();
  if (after) {
    if (/^\d+$/.test(after)) return Number(after) * 1000;
    const date = Date.parse(after);
    if (!Number.isNaN(date)) return Math.max(0, date - now);
  }
  const left = headers.get('ratelimit')?.match(/;\s*t=(\d+)/);
  return left ? Number(left[1]) * 1000 : undefined;
}

/** Counts failures of one piece of work and says what follows from each. */
export class Patience {
  readonly #transport: Transport;
  readonly #who: string;
  readonly #address: string;
  readonly #most: number;
  #failures = 0;
  #answered = false;

  constructor(transport: Transport, who: string, address: string, most = CONTACT_RETRIES) {
    this.#transport = transport;
    this.#who = who;
    this.#address = address;
    this.#most = most;
  }

  /** Something came: an answer, or enough bytes that trying again is worth it. */
  progressed(): void {
    this.#answered = true;
    this.#failures = 0;
  }

  /** Waits before the next attempt, or throws what the caller is told. Errors that do not pass are thrown as they are. */
  async after(error: unknown, signal: AbortSignal): Promise<void> {
    if (!(error instanceof PassingFailure)) throw error;
    if (error instanceof NoAnswer && !this.#answered && this.#failures === 0) {
      const reason = await whyNoAnswer(this.#transport, this.#who, this.#address, signal);
      if (reason) throw reason;
    }
    if (!(error instanceof NoAnswer)) this.#answered = true;
    const waitMs = error.waitMs ?? Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** this.#failures);
    this.#failures++;
    if (this.#failures > this.#most || waitMs > MAX_WAIT_MS) throw this.#given(error, waitMs);
    await this.#transport.sleep(waitMs * (error.waitMs === undefined ? 0.75 + Math.random() / 2 : 1), signal);
  }

  #given(error: PassingFailure, waitMs: number): RetryError {
    const status = error.status === undefined ? {} : { status: error.status };
    if (error instanceof NoAnswer) {
      return new RetryError(`${this.#who} cannot be reached. Check the network, then try again.`, {
        unreachable: true,
        ...status,
      });
    }
    const when = error.waitMs === undefined ? 'Try again later.' : `Try again in ${waitFor(waitMs)}.`;
    const details = error.waitMs === undefined ? status : { ...status, retryAfterMs: waitMs };
    return new RetryError(`${sentence(error.message)} ${when}`, details);
  }
}

/** Runs `attempt` until it succeeds or patience ends. */
export async function patiently<T>(patience: Patience, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await patience.after(error, signal);
    }
  }
}

/**
 * The browser gives one TypeError for everything. A request that needs no permission and whose answer cannot be read
 * tells a host that is away from one that does not allow this page. Undefined: away, and worth another attempt.
 */
async function whyNoAnswer(
  transport: Transport,
  who: string,
  address: string,
  signal: AbortSignal,
): Promise<ShoalError | undefined> {
  if (!transport.online()) {
    return new RetryError('This device is offline. Connect, then try again.', { unreachable: true, offline: true });
  }
  const page = transport.page();
  const target = new URL(address);
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(target.hostname);
  if (page?.protocol === 'https:' && target.protocol === 'http:' && !local) {
    return new ModelError(`A page opened over https cannot load from ${who} over http. Use an https address.`, {
      mixedContent: true,
    });
  }
  const exchange = new Exchange(transport, signal);
  try {
    const answer = await exchange.send(address, { method: 'HEAD', mode: 'no-cors' });
    await discard(answer);
    if (answer.type !== 'opaque') return undefined;
    const from = page ? ` ${page.origin}` : '';
    return new ModelError(
      `${who} answers, but does not allow pages of${from} to read it (CORS). Download the file in the browser and pick it from this device, or choose another source.`,
      { cors: true },
    );
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    return undefined;
  } finally {
    exchange.close();
  }
}

function waitFor(ms: number): string {
  return ms > 120_000 ? `${Math.ceil(ms / 60_000)} minutes` : `${Math.ceil(ms / 1000)} s`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
