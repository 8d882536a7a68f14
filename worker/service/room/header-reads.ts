import type { ModelKey } from '../../mesh/types.ts';

/** Two slow servers at most are waited for. */
const READS_AT_ONCE = 2;
const MOST_WAITING = 32;
/** A server that takes longer for a header makes way for the next. */
const LONGEST_READ_MS = 60_000;
/** A header that could not be read is not tried before. */
const RETRY_MS = 60_000;

export interface HeaderReadsOptions {
  /** Throws where it cannot be read. */
  readonly read: (model: ModelKey, signal: AbortSignal) => Promise<unknown>;
  readonly signal: AbortSignal;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly onTrouble: (error: unknown) => void;
}

interface Waiting {
  readonly model: ModelKey;
  readonly isWanted: () => boolean;
  readonly done: () => void;
}

/**
 * Reads the headers of models that members name, nobody here: the address in a model's key is whatever a member wrote. So
 * two are read at once, each only while it is wanted, and a failed one rests for a minute.
 */
export class HeaderReads {
  readonly #options: HeaderReadsOptions;
  readonly #waiting: Waiting[] = [];
  readonly #promises = new Map<ModelKey, Promise<void>>();
  readonly #failedMs = new Map<ModelKey, number>();
  #running = 0;

  constructor(options: HeaderReadsOptions) {
    this.#options = options;
  }

  /** Settles when the header was read, or will not be now. Never rejects. */
  want(model: ModelKey, isWanted: () => boolean): Promise<void> {
    const under = this.#promises.get(model);
    if (under !== undefined) return under;
    const now = this.#options.now();
    for (const [failed, atMs] of this.#failedMs) if (now - atMs >= RETRY_MS) this.#failedMs.delete(failed);
    if (this.#failedMs.has(model) || this.#waiting.length >= MOST_WAITING) return Promise.resolve();
    const promise = new Promise<void>((done) => {
      this.#waiting.push({ model, isWanted, done });
    });
    this.#promises.set(model, promise);
    this.#next();
    return promise;
  }

  #next(): void {
    while (this.#running < READS_AT_ONCE) {
      const one = this.#waiting.shift();
      if (one === undefined) return;
      this.#running++;
      void this.#read(one).then(() => {
        this.#running--;
        this.#promises.delete(one.model);
        one.done();
        this.#next();
      });
    }
  }

  async #read({ model, isWanted }: Waiting): Promise<void> {
    const { read, signal, now, onTrouble } = this.#options;
    if (signal.aborted || !isWanted()) return;
    try {
      await read(model, AbortSignal.any([signal, AbortSignal.timeout(LONGEST_READ_MS)]));
    } catch (error) {
      if (signal.aborted) return;
      this.#failedMs.set(model, now());
      onTrouble(error);
    }
  }
}
