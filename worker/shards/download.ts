import { RetryError } from '../errors.ts';
import type { ByteSource } from '../weights/types.ts';
import type { BufferPool } from './buffers.ts';
import type { GoodShard } from './cached.ts';
import { shardLength } from './grid.ts';
import type { Hash } from './hashing.ts';
import { holdLock, type Locks, tryLock } from './locks.ts';
import type { FileRecord, Records } from './records.ts';
import { SHARD_BYTES } from './types.ts';

/** What a download needs. */
export interface DownloadContext {
  readonly file: FileRecord;
  readonly source: ByteSource;
  readonly records: Records;
  readonly locks: Locks;
  readonly pool: BufferPool;
  readonly hash: Hash;
  /** Called with the size of each piece that comes. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Downloads shards [first, end) with one request and yields each when its bytes and hash are committed, while the next
 * are coming. Ends early where another window has a shard already or is fetching it; waits only for the first.
 *
 * Each shard is fetched under a lock of its own, taken when its first byte is due and let go when it is committed, so
 * that another window finds it in the store. A lock holder never waits for a buffer, that is for the consumer: two
 * loops of one page cannot lock each other out.
 */
export async function* downloadRun(
  context: DownloadContext,
  first: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<GoodShard> {
  const stop = new AbortController();
  const pump = new Pump(context, first, end, AbortSignal.any([signal, stop.signal]), stop);
  const pumping = pump.run();
  pumping.catch(() => {}); // Seen when the shards before it have been taken.
  try {
    for (;;) {
      const shard = await pump.next();
      if (!shard) break;
      yield shard;
    }
    await pumping;
  } finally {
    stop.abort();
    await pumping.catch(() => {});
    await pump.discard();
  }
}

/** A shard that may be fetched now: nobody else will, and here is where it goes. */
interface Turn extends GoodShard {
  readonly release: () => void;
}

const NO_CLAIM = Promise.resolve(undefined);

class Pump {
  readonly #context: DownloadContext;
  readonly #first: number;
  readonly #end: number;
  readonly #signal: AbortSignal;
  readonly #stop: AbortController;
  readonly #queue: Promise<GoodShard>[] = [];
  #written: Promise<unknown> = Promise.resolve();
  #done = false;
  #wake = () => {};

  constructor(context: DownloadContext, first: number, end: number, signal: AbortSignal, stop: AbortController) {
    this.#context = context;
    this.#first = first;
    this.#end = end;
    this.#signal = signal;
    this.#stop = stop;
  }

  /** The next committed shard, undefined at the end. */
  async next(): Promise<GoodShard | undefined> {
    while (this.#queue.length === 0 && !this.#done) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#queue.shift();
  }

  /** Gives back what came and nobody took; it is in the store. */
  async discard(): Promise<void> {
    for (const commit of this.#queue.splice(0)) {
      const shard = await commit.catch(() => undefined);
      if (shard) this.#context.pool.release(shard.buffer);
    }
  }

  async run(): Promise<void> {
    const { file, source } = this.#context;
    let bytes: ByteReader | undefined;
    let claim: Promise<(() => void) | undefined> = this.#claim(this.#first);
    try {
      for (let index = this.#first; index < this.#end; index++) {
        const turn = await this.#turn(index, claim);
        claim = NO_CLAIM;
        if (!turn) return;
        // Asked for now, so that it need not wait for this shard's write, which the database puts in front of it.
        if (index + 1 < this.#end) claim = this.#claim(index + 1);
        claim.catch(() => {}); // Seen when it is its turn.
        try {
          bytes ??= new ByteReader(
            source.read(index * SHARD_BYTES, Math.min(this.#end * SHARD_BYTES, file.size), this.#signal),
            this.#context.onBytes,
          );
          await bytes.fill(turn.bytes);
        } catch (error) {
          turn.release();
          this.#context.pool.release(turn.buffer);
          throw error;
        }
        const earlier = this.#written;
        this.#commit(turn);
        // While one is being committed the next one comes, and no more: a kill loses what is not committed.
        await earlier;
      }
    } finally {
      (await claim.catch(() => undefined))?.();
      await bytes?.close();
      this.#done = true;
      this.#wake();
    }
  }

  /** A buffer for the shard and its lock; undefined when another window has or fetches it. */
  async #turn(index: number, claim: Promise<(() => void) | undefined>): Promise<Turn | undefined> {
    const { file, pool } = this.#context;
    let release = await claim;
    if (!release) return undefined;
    let buffer = pool.tryAcquire();
    if (!buffer) {
      release();
      buffer = await pool.acquire(this.#signal);
      try {
        release = await this.#claim(index);
      } catch (error) {
        pool.release(buffer);
        throw error;
      }
      if (!release) {
        pool.release(buffer);
        return undefined;
      }
    }
    return { index, buffer, bytes: new Uint8Array(buffer, 0, shardLength(file.size, index)), release };
  }

  /** The shard's lock, or undefined when it is here or another window is at it. */
  async #claim(index: number): Promise<(() => void) | undefined> {
    const { locks, file, records } = this.#context;
    const name = `shoal shard ${index} of ${file.key}`;
    const release = index === this.#first ? await holdLock(locks, name, this.#signal) : await tryLock(locks, name);
    if (!release) return undefined;
    try {
      this.#signal.throwIfAborted();
      if (!(await records.hasShard(file.key, index))) return release;
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  #commit(turn: Turn): void {
    const commit = this.#write(turn).finally(turn.release);
    this.#written = commit.catch(() => {
      this.#context.pool.release(turn.buffer);
      this.#stop.abort();
    });
    this.#queue.push(commit);
    this.#wake();
  }

  async #write(shard: GoodShard): Promise<GoodShard> {
    const { hash, file, records } = this.#context;
    const before = this.#written;
    const { bytes, sha256 } = await hash(shard.bytes);
    await before; // Writes wait for each other in the database anyway, and each holds a copy.
    await records.writeShard(file, shard.index, bytes, sha256);
    return { index: shard.index, buffer: bytes.buffer, bytes };
  }
}

/** Cuts a stream of chunks of any size into pieces of a wanted size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #onBytes: ((bytes: number) => void) | undefined;
  #rest = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>, onBytes: ((bytes: number) => void) | undefined) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#onBytes = onBytes;
  }

  async fill(target: Uint8Array): Promise<void> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) {
          throw new RetryError(
            `The connection ended ${target.length - filled} bytes before the end of a piece of ${target.length}. ` +
              'What came before it is kept: try again to go on from there.',
            { missingBytes: target.length - filled },
          );
        }
        this.#rest = next.value as Uint8Array<ArrayBuffer>;
      }
      const piece = this.#rest.subarray(0, target.length - filled);
      target.set(piece, filled);
      filled += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
      this.#onBytes?.(piece.length);
    }
  }

  /** Cancels the request, if it is still open. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
