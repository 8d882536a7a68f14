import { InternalError, ModelError, PersonError, RetryError } from '../errors.ts';
import type { ByteSource, FileIdentity } from '../weights/types.ts';
import { BufferPool, type SpareBuffers } from './buffers.ts';
import { type GoodShard, READS_IN_FLIGHT, readAhead } from './cached.ts';
import { downloadRun } from './download.ts';
import { bytesOf, shardCount, shardsBetween } from './grid.ts';
import type { Hash } from './hashing.ts';
import type { Locks } from './locks.ts';
import { Meter } from './meter.ts';
import { mib, requireRoom, type StorageFacts, storageFailure } from './quota.ts';
import type { FileRecord, Records } from './records.ts';
import { type CachedFile, SHARD_BYTES, type Shard, type TransferProgress } from './types.ts';
import { WholeHash } from './whole-hash.ts';

/** What a store gives each of its files. */
export interface FileContext {
  readonly records: Records;
  readonly locks: Locks;
  readonly storage: StorageFacts | undefined;
  readonly spares: SpareBuffers;
  readonly hash: Hash;
}

/** Buffers of a loop: those being read, and one with the consumer; a second comes from those. */
export const READ_BUFFERS = READS_IN_FLIGHT + 1;
/** Where something has to come, the network sets the pace: one filling, one being written, one with the consumer. */
const DOWNLOAD_BUFFERS = 3;

interface ShardOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** One file through the cache. */
export class StoredCachedFile implements CachedFile {
  readonly identity: FileIdentity;
  readonly size: number;
  readonly #context: FileContext;
  #file: FileRecord;
  readonly #source: ByteSource | undefined;
  /** The whole file's hash as somebody published it: the origin, or a mirror in its name. */
  readonly #publishedSha256: string | undefined;
  #whole: Promise<WholeHash> | undefined;
  /** The shard that the last small read ended in: headers are read in many small steps. */
  #recent: { readonly index: number; readonly bytes: Uint8Array } | undefined;
  /** Damaged shards that small reads found and fetched again: those have no progress of their own. */
  #repairedInSmallReads = 0;

  constructor(
    context: FileContext,
    file: FileRecord,
    source: ByteSource | undefined,
    publishedSha256: string | undefined,
  ) {
    this.#context = context;
    this.#file = file;
    this.#source = source;
    this.#publishedSha256 = publishedSha256;
    this.identity = file.identity;
    this.size = file.size;
  }

  async has(indices: readonly number[]): Promise<boolean> {
    return (await this.missing(indices)).length === 0;
  }

  async missing(indices: readonly number[]): Promise<readonly number[]> {
    const { here } = await this.#stored(this.#context.records.presence(this.#file.key));
    return indices.filter((index) => !here.has(index));
  }

  async readRange(start: number, end: number, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    if (start < 0 || end > this.size || start > end) {
      throw new ModelError(
        `${this.#file.name} ends at byte ${this.size}, and its header points to bytes ${start} to ${end}: the file is ` +
          'cut off or damaged. Download it again or choose another.',
      );
    }
    const range = new Uint8Array(end - start);
    const copy = (index: number, bytes: Uint8Array) => {
      const offset = index * SHARD_BYTES;
      const part = bytes.subarray(Math.max(0, start - offset), Math.max(0, end - offset));
      range.set(part, Math.max(offset, start) - start);
    };
    let wanted = shardsBetween(start, end);
    const recent = this.#recent;
    if (recent && wanted.includes(recent.index)) {
      copy(recent.index, recent.bytes);
      wanted = wanted.filter((index) => index !== recent.index);
    }
    const last = wanted.at(-1);
    const onProgress = ({ repairedShards }: TransferProgress) => {
      this.#repairedInSmallReads = repairedShards;
    };
    for await (const shard of this.#iterate(wanted, { signal, onProgress })) {
      copy(shard.index, shard.bytes);
      if (shard.index === last) this.#recent = { index: last, bytes: shard.bytes.slice() };
      shard.release();
    }
    return range;
  }

  async *shards(indices: readonly number[], options: ShardOptions): AsyncGenerator<Shard> {
    this.#recent = undefined;
    if (!this.#file.wanted) {
      this.#file = { ...this.#file, wanted: true };
      await this.#stored(this.#context.records.updateFile(this.#file.key, (kept) => ({ ...kept, wanted: true })));
    }
    yield* this.#iterate(indices, options);
  }

  async *#iterate(indices: readonly number[], { signal, onProgress }: ShardOptions): AsyncGenerator<Shard> {
    this.#requireAscending(indices);
    signal.throwIfAborted();
    if (indices.length === 0) return;
    let { here } = await this.#stored(this.#context.records.presence(this.#file.key));
    const missing = indices.filter((index) => !here.has(index));
    if (missing.length > 0) await this.#requireRoomAndSource(missing);
    // Hashed on the way only while a download sets the pace; what is all here is hashed when asked for.
    const whole = missing.length > 0 && this.#publishedSha256 ? await this.#wholeHash() : undefined;
    const meter = new Meter(bytesOf(this.size, indices), onProgress, this.#repairedInSmallReads);
    const damaged = new Set<number>();
    const pool = new BufferPool(this.#context.spares, missing.length > 0 ? DOWNLOAD_BUFFERS : READ_BUFFERS);
    const shared = { ...this.#context, pool, file: this.#file, key: this.#file.key, size: this.size, signal };

    let position = 0;
    try {
      while (position < indices.length) {
        signal.throwIfAborted();
        if (here.has(indices[position] as number)) {
          const run = takeWhile(indices, position, (index) => here.has(index));
          for await (const read of readAhead(shared, run, here)) {
            if (read.kind !== 'good') {
              here.delete(read.index);
              if (read.kind === 'damaged') await this.#drop(read.index, damaged);
              break;
            }
            position++;
            whole?.offer(read.index, read.bytes);
            meter.cached(read.bytes.length);
            yield asShard(read, pool);
            signal.throwIfAborted();
          }
        } else {
          const first = indices[position] as number;
          const run = takeWhile(indices, position, (index, at) => !here.has(index) && index === first + at);
          const source = this.#requireSource(run);
          const download = { ...shared, source, onBytes: (n: number) => meter.arriving(n) };
          for await (const fetched of downloadRun(download, first, first + run.length, signal)) {
            position++;
            (await this.#whole)?.forget(fetched.index);
            whole?.offer(fetched.index, fetched.bytes);
            meter.fetched(fetched.bytes.length, damaged.delete(fetched.index));
            yield asShard(fetched, pool);
          }
          meter.arrived();
          ({ here } = await this.#stored(this.#context.records.presence(this.#file.key)));
        }
      }
    } catch (error) {
      throw signal.aborted ? error : await this.#explain(error);
    } finally {
      pool.close();
    }
  }

  async verifyWhole(signal: AbortSignal): Promise<'verified' | 'incomplete' | 'no-origin-hash'> {
    const { records } = this.#context;
    const published = this.#publishedSha256;
    if (!published) return 'no-origin-hash';
    const count = shardCount(this.size);
    const { here } = await this.#stored(records.presence(this.#file.key));
    if (here.size < count) return 'incomplete';
    let computed = (await this.#stored(records.file(this.#file.key)))?.wholeSha256;
    if (computed === undefined) {
      const whole = await this.#wholeHash();
      while (whole.next < count) {
        const rest = Array.from({ length: count - whole.next }, (_, i) => whole.next + i);
        for await (const shard of this.#iterate(rest, { signal })) {
          whole.offer(shard.index, shard.bytes);
          shard.release();
        }
      }
      computed = whole.finish();
    }
    if (computed !== published) return this.#refuse(computed, published);
    const wholeSha256 = computed;
    await this.#stored(records.updateFile(this.#file.key, (record) => ({ ...record, ...this.#file, wholeSha256 })));
    return this.#file.originSha256 === published ? 'verified' : 'no-origin-hash';
  }

  async #refuse(computed: string, published: string): Promise<never> {
    await this.#stored(this.#context.records.remove(this.#file.key));
    this.#recent = undefined;
    const from = this.#source?.mirror ?? this.#file.mirror;
    throw new ModelError(
      `${this.#file.name} is not the file that was published: its SHA-256 is ${computed} instead of ${published}. Its ` +
        `${mib(this.size)} were removed from this device${from ? `; they came through ${from}` : ''}. Download it ` +
        'again, or choose another source.',
      { computed, published },
    );
  }

  #wholeHash(): Promise<WholeHash> {
    this.#whole ??= WholeHash.create();
    return this.#whole;
  }

  async #drop(index: number, damaged: Set<number>): Promise<void> {
    damaged.add(index);
    await this.#context.records.dropBytes(this.#file.key, index);
    if (!this.#source) {
      throw this.#unreachable(`Bytes of ${this.#file.name} on this device are damaged (piece ${index})`);
    }
  }

  async #requireRoomAndSource(missing: readonly number[]): Promise<void> {
    this.#requireSource(missing);
    await requireRoom(this.#context.storage, bytesOf(this.size, missing), this.#file.name);
  }

  #requireSource(missing: readonly number[]): ByteSource {
    if (this.#source) return this.#source;
    throw this.#unreachable(`${mib(bytesOf(this.size, missing))} of ${this.#file.name} are not on this device`);
  }

  #unreachable(what: string): RetryError | PersonError {
    if (this.identity.kind === 'picked') {
      return new PersonError(`${what}. Choose the file ${this.identity.name} again.`, { file: this.#file.name });
    }
    return new RetryError(`${what}, and there is no connection to where it comes from. Connect, then try again.`, {
      file: this.#file.name,
    });
  }

  #requireAscending(indices: readonly number[]): void {
    const count = shardCount(this.size);
    const fits = indices.every((index, i) => index >= 0 && index < count && index > (indices[i - 1] ?? -1));
    if (!fits)
      throw new InternalError(`Pieces must ascend within 0 to ${count - 1}: ${indices.slice(0, 8).join(', ')}`);
  }

  #stored<T>(operation: Promise<T>): Promise<T> {
    return operation.catch(async (error) => {
      throw await this.#explain(error);
    });
  }

  /** Database errors in words; aborts and errors that are ours already stay. */
  async #explain(error: unknown): Promise<unknown> {
    if (!(error instanceof DOMException) || error.name === 'AbortError') return error;
    return storageFailure(error, this.#context.storage, this.#file.name);
  }
}

function asShard({ index, bytes, buffer }: GoodShard, pool: BufferPool): Shard {
  let held = true;
  const release = () => {
    if (held) pool.release(buffer);
    held = false;
  };
  return { index, offset: index * SHARD_BYTES, bytes, release };
}

/** The longest stretch of `indices` from `start` on for which `holds(index, distance from start)`. */
function takeWhile(indices: readonly number[], start: number, holds: (index: number, at: number) => boolean): number[] {
  const run: number[] = [];
  for (let at = 0; start + at < indices.length && holds(indices[start + at] as number, at); at++) {
    run.push(indices[start + at] as number);
  }
  return run;
}
