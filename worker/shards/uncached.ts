import { InternalError, ModelError, PersonError, RetryError } from '../errors.ts';
import type { ByteSource, FileIdentity } from '../weights/types.ts';
import { BufferPool, SpareBuffers } from './buffers.ts';
import { ByteReader } from './download.ts';
import { bytesOf, fileName, shardCount, shardLength, shardsBetween } from './grid.ts';
import { Meter } from './meter.ts';
import { type CachedFile, SHARD_BYTES, type Shard, type ShardStore, type TransferProgress } from './types.ts';
import { WholeHash } from './whole-hash.ts';

/** One filling, one with the consumer, and one more that it may hold. */
const BUFFERS = 3;
/** Shards of the header that stay in memory, so that they are not asked for once more: 16 MiB at most. */
const HEADER_SHARDS = 4;

/** Stands where the browser gives the page no database: models come from their source each time, and nothing is kept. */
export function createUncachedStore(): ShardStore {
  const spares = new SpareBuffers(SHARD_BYTES, BUFFERS);
  return {
    open: async (identity, size, source, sha256) =>
      new UncachedFile(identity, size, source, (sha256 ?? source?.sha256)?.toLowerCase(), spares),
    list: async () => [],
    remove: async () => {},
    requestPersistence: async () => 'denied',
    estimate: async () => ({ usedBytes: 0, quotaBytes: 0, persisted: false }),
  };
}

class UncachedFile implements CachedFile {
  readonly identity: FileIdentity;
  readonly size: number;
  readonly #source: ByteSource | undefined;
  readonly #publishedSha256: string | undefined;
  readonly #spares: SpareBuffers;
  readonly #header = new Map<number, Uint8Array>();
  #whole: WholeHash | undefined;

  constructor(
    identity: FileIdentity,
    size: number,
    source: ByteSource | undefined,
    publishedSha256: string | undefined,
    spares: SpareBuffers,
  ) {
    this.identity = identity;
    this.size = size;
    this.#source = source;
    this.#publishedSha256 = publishedSha256;
    this.#spares = spares;
  }

  async has(indices: readonly number[]): Promise<boolean> {
    return indices.length === 0;
  }

  /** None: no download could bring any of them to where they stay. */
  async missing(): Promise<readonly number[]> {
    return [];
  }

  async readRange(start: number, end: number, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    if (start < 0 || end > this.size || start > end) {
      throw new ModelError(
        `${this.#name} ends at byte ${this.size}, and its header points to bytes ${start} to ${end}: the file is cut off or damaged. Choose another.`,
      );
    }
    const range = new Uint8Array(end - start);
    for await (const { index, offset, bytes, release } of this.shards(shardsBetween(start, end), { signal })) {
      const part = bytes.subarray(Math.max(0, start - offset), Math.max(0, end - offset));
      range.set(part, Math.max(offset, start) - start);
      if (!this.#header.has(index) && this.#header.size < HEADER_SHARDS) this.#header.set(index, bytes.slice());
      release();
    }
    return range;
  }

  async *shards(
    indices: readonly number[],
    options: { readonly signal: AbortSignal; readonly onProgress?: (progress: TransferProgress) => void },
  ): AsyncGenerator<Shard> {
    const { signal, onProgress } = options;
    const meter = new Meter(bytesOf(this.size, indices), onProgress);
    const pool = new BufferPool(this.#spares, BUFFERS);
    if (this.#publishedSha256 !== undefined) this.#whole ??= await WholeHash.create();
    let run: ByteReader | undefined;
    try {
      for (const [at, index] of indices.entries()) {
        const buffer = await pool.acquire(signal);
        const bytes = new Uint8Array(buffer, 0, shardLength(this.size, index));
        const known = this.#header.get(index);
        if (known) bytes.set(known);
        else {
          const isNext = run !== undefined && indices[at - 1] === index - 1 && !this.#header.has(index - 1);
          if (!isNext) {
            await run?.close();
            run = this.#request(indices, at, signal, (count) => meter.arriving(count));
          }
          await run?.fill(bytes);
        }
        this.#whole?.offer(index, bytes);
        if (known) meter.cached(bytes.length);
        else meter.fetched(bytes.length, false);
        yield { index, offset: index * SHARD_BYTES, bytes, release: once(() => pool.release(buffer)) };
        signal.throwIfAborted();
      }
    } finally {
      await run?.close();
      pool.close();
    }
  }

  async verifyWhole(): Promise<'verified' | 'incomplete' | 'no-origin-hash'> {
    const published = this.#publishedSha256;
    if (published === undefined) return 'no-origin-hash';
    const whole = this.#whole;
    if (whole === undefined || whole.next < shardCount(this.size)) return 'incomplete';
    const computed = whole.finish();
    if (computed !== published) {
      throw new ModelError(
        `${this.#name} is not the file that was published: its SHA-256 is ${computed} instead of ${published}. Choose another source.`,
        { computed, published },
      );
    }
    return this.#source?.mirror === undefined ? 'verified' : 'no-origin-hash';
  }

  get #name(): string {
    return this.#source?.name ?? fileName(this.identity);
  }

  /** One request for the longest run of shards from there that are not in memory. */
  #request(indices: readonly number[], at: number, signal: AbortSignal, onBytes: (count: number) => void): ByteReader {
    const first = indices[at];
    if (first === undefined) throw new InternalError(`There is no piece ${at} of ${indices.length}.`);
    const source = this.#source;
    if (source === undefined) {
      const { identity } = this;
      if (identity.kind === 'picked') throw new PersonError(`Choose the file ${identity.name} again.`);
      throw new RetryError(
        `Nothing of ${this.#name} is on this device, since this browser keeps nothing for the page. Connect, then try again.`,
      );
    }
    let end = first + 1;
    while (indices[at + end - first] === end && !this.#header.has(end)) end++;
    return new ByteReader(source.read(first * SHARD_BYTES, Math.min(end * SHARD_BYTES, this.size), signal), onBytes);
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
