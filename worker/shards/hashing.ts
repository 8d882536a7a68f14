import { InternalError } from '../errors.ts';
import { shardDigest } from './digest.ts';

/** The same bytes, perhaps moved to another buffer object, and their `shardDigest`. */
export interface Hashed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: Uint8Array;
}

/** Hashes `bytes`. Nobody may use them or their buffer until it resolves; when it rejects, the buffer may be gone. */
export type Hash = (bytes: Uint8Array<ArrayBuffer>) => Promise<Hashed>;

export interface HashRequest {
  readonly id: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type HashReply =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'hashed';
      readonly id: number;
      readonly bytes: Uint8Array<ArrayBuffer>;
      /** The `shardDigest`; missing when the browser could not compute it. */
      readonly sha256: ArrayBuffer | undefined;
    };

/** What is used of a Worker, so that tests pass another. */
export interface HashWorker {
  postMessage(message: HashRequest, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: { readonly data: HashReply }) => void): void;
  addEventListener(type: 'error', listener: (event: { readonly message?: string }) => void): void;
}

/**
 * Workers that hash. Reading and checking 4 MiB shards in Chromium 156 on two cores, over bare reads one after another:
 * 0.64 with none, 0.81 with one, 0.87 with two.
 */
const WORKERS = 2;

/** Hashes on the thread that asks. */
export async function hashHere(bytes: Uint8Array<ArrayBuffer>): Promise<Hashed> {
  return { bytes, sha256: await shardDigest(bytes) };
}

/** Hashes beside this thread where the browser has workers, else on it. */
export function createHash(): Hash {
  return typeof Worker === 'undefined' ? hashHere : hashBeside(spawnHashWorker, WORKERS);
}

function spawnHashWorker(): HashWorker {
  return new Worker(new URL('./hash-worker.ts', import.meta.url), { type: 'module', name: 'hash' });
}

/**
 * Hashes in `count` workers that start with the first call; until one is ready, and where none ever is, on this thread.
 * Chromium (156) computes `crypto.subtle.digest` on the thread that asks, before the call returns: 2 ms for 4 MiB,
 * in which that thread reads nothing.
 */
export function hashBeside(spawn: () => HashWorker, count: number): Hash {
  let helpers: Helper[] | undefined;
  return async (bytes) => {
    helpers ??= Array.from({ length: count }, () => new Helper(spawn));
    const [helper] = helpers.filter(({ usable }) => usable).sort((a, b) => a.waiting - b.waiting);
    return helper === undefined ? hashHere(bytes) : helper.hash(bytes);
  };
}

interface Waiting {
  resolve(hashed: Hashed | Promise<Hashed>): void;
  reject(error: unknown): void;
}

/** One worker and what it was asked. */
class Helper {
  usable = false;
  readonly #waiting = new Map<number, Waiting>();
  readonly #worker: HashWorker | undefined;
  #next = 0;

  constructor(spawn: () => HashWorker) {
    try {
      this.#worker = spawn();
    } catch {
      return; // a page whose policy forbids workers in workers
    }
    this.#worker.addEventListener('message', ({ data }) => this.#take(data));
    this.#worker.addEventListener('error', ({ message }) => {
      this.usable = false;
      const error = new InternalError(`The worker that hashes failed: ${message ?? 'no reason given'}.`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  hash(bytes: Uint8Array<ArrayBuffer>): Promise<Hashed> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker?.postMessage({ id, bytes }, [bytes.buffer]);
    });
  }

  #take(reply: HashReply): void {
    if (reply.kind === 'ready') {
      this.usable = true;
      return;
    }
    const { id, bytes, sha256 } = reply;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.resolve(sha256 === undefined ? hashHere(bytes) : { bytes, sha256: new Uint8Array(sha256) });
  }
}
