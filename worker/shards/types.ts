import type { ByteSource, FileIdentity } from '../weights/types.ts';

/** The fixed grid over each file. */
export const SHARD_BYTES = 4 * 1024 * 1024;

/**
 * One shard's verified bytes. The buffer belongs to a pool: call `release` when done, and keep no view of it. Hold at
 * most two at a time: a download waits for buffers that are out.
 */
export interface Shard {
  readonly index: number;
  /** Offset in the file. */
  readonly offset: number;
  /** SHARD_BYTES long, shorter only for the file's last. */
  readonly bytes: Uint8Array;
  release(): void;
}

export interface TransferProgress {
  /** Of the shards asked for: bytes that are here and checked; their sum. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Bytes of `doneBytes` that came from the source in this run, the rest was cached. */
  readonly fetchedBytes: number;
  /** Bytes of the shards now coming, not yet whole and checked: for a display that moves between shards. */
  readonly arrivingBytes: number;
  /** Damaged shards that were found and fetched again, those of the small reads before included. */
  readonly repairedShards: number;
}

/** One file seen through the cache: reads come from the store where it has them, else from the source, once. */
export interface CachedFile {
  readonly identity: FileIdentity;
  readonly size: number;
  /** Small reads (headers). Cached like all others. */
  readRange(start: number, end: number, signal: AbortSignal): Promise<Uint8Array>;
  /**
   * The shards named, in ascending order, verified, from cache or source, with several reads in flight and one
   * source request a contiguous run of missing ones. New ones are written to the store before they are yielded
   * or while they are.
   */
  shards(
    indices: readonly number[],
    options: { readonly signal: AbortSignal; readonly onProgress?: (progress: TransferProgress) => void },
  ): AsyncIterable<Shard>;
  /** True when each of these shards is in the store. */
  has(indices: readonly number[]): Promise<boolean>;
  /** Those of these shards that a download would bring into the store. */
  missing(indices: readonly number[]): Promise<readonly number[]>;
  /**
   * Checks the whole file's SHA-256 against the origin's when all shards are here; only what a download has not
   * hashed on its way is read again. A mismatch drops every shard of the file and throws ModelError. A hash that only
   * a mirror told is checked too, but answers 'no-origin-hash'.
   */
  verifyWhole(signal: AbortSignal): Promise<'verified' | 'incomplete' | 'no-origin-hash'>;
}

export interface StoredFile {
  readonly key: string;
  readonly identity: FileIdentity;
  readonly name: string;
  readonly size: number;
  /** Bytes kept of it. */
  readonly keptBytes: number;
  readonly complete: boolean;
  /** 'origin': the whole file's SHA-256 equals the one that the origin published. */
  readonly verified: 'origin' | 'own-hashes';
  /** The mirror that some of it came through, while no hash of the origin has confirmed it. */
  readonly mirror?: string;
  /** Bytes that were kept once and are gone: evicted by the browser, or damaged and dropped. */
  readonly lostBytes: number;
  /** Only its header was read: nobody has asked for the rest. */
  readonly lookedAt: boolean;
}

export interface ShardStore {
  /**
   * `source` may be absent (offline): then only cached shards can be read.
   * @param sha256 what the origin itself publishes for the whole file (hex); else `source.sha256` counts, as the
   *   origin's word unless the source is a mirror.
   * @throws ModelError when a confirmed file of this identity has another size
   */
  open(identity: FileIdentity, size: number, source: ByteSource | undefined, sha256?: string): Promise<CachedFile>;
  list(): Promise<readonly StoredFile[]>;
  /** Frees all records of a file. */
  remove(key: string): Promise<void>;
  /** What the browser allows and has promised. */
  estimate(): Promise<{ readonly usedBytes: number; readonly quotaBytes: number; readonly persisted: boolean }>;
  /**
   * Asks the browser not to evict. 'ask-window': browsers have `navigator.storage.persist` in windows only, so the
   * page has to call it; `estimate().persisted` then tells the result here.
   */
  requestPersistence(): Promise<'granted' | 'denied' | 'ask-window'>;
}
