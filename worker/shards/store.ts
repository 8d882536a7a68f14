import { ModelError } from '../errors.ts';
import type { ByteSource, FileIdentity } from '../weights/types.ts';
import { SpareBuffers } from './buffers.ts';
import { READ_BUFFERS, StoredCachedFile } from './file.ts';
import { bytesOf, fileKey, fileName, shardCount } from './grid.ts';
import { createHash } from './hashing.ts';
import { createMemoryLocks, type Locks } from './locks.ts';
import { readEstimate, type StorageFacts, storageFailure } from './quota.ts';
import { type FileRecord, Records } from './records.ts';
import { type CachedFile, SHARD_BYTES, type ShardStore, type StoredFile } from './types.ts';

export interface ShardStoreOptions {
  /** Name of the IndexedDB database. */
  readonly database?: string;
  /** What keeps two windows apart: `navigator.locks`; within this process where that is missing. */
  readonly locks?: Locks;
  /** `navigator.storage`. */
  readonly storage?: StorageFacts;
  /** The database itself; opened by name unless given. */
  readonly records?: Records;
}

/** Opens the store. @throws StorageError when the browser gives the page no database */
export async function createShardStore(options: ShardStoreOptions = {}): Promise<ShardStore> {
  const storage = options.storage ?? (globalThis.navigator?.storage as StorageFacts | undefined);
  const locks = options.locks ?? (globalThis.navigator?.locks as Locks | undefined) ?? createMemoryLocks();
  try {
    const records = options.records ?? Records.open(options.database ?? 'shoal-shards');
    await records.files();
    return new IndexedDbStore(records, locks, storage);
  } catch (error) {
    throw await storageFailure(error, storage, 'models');
  }
}

class IndexedDbStore implements ShardStore {
  readonly #records: Records;
  readonly #locks: Locks;
  readonly #storage: StorageFacts | undefined;
  readonly #hash = createHash();
  readonly #spares = new SpareBuffers(SHARD_BYTES, READ_BUFFERS);

  constructor(records: Records, locks: Locks, storage: StorageFacts | undefined) {
    this.#records = records;
    this.#locks = locks;
    this.#storage = storage;
  }

  async open(
    identity: FileIdentity,
    size: number,
    source: ByteSource | undefined,
    sha256?: string,
  ): Promise<CachedFile> {
    const key = fileKey(identity);
    const kept = await this.#usable(key, size);
    const originSha256 = (sha256 ?? (source?.mirror ? undefined : source?.sha256) ?? kept?.originSha256)?.toLowerCase();
    const mirror = source?.mirror ?? kept?.mirror;
    const file: FileRecord = {
      key,
      identity,
      name: source?.name ?? kept?.name ?? fileName(identity),
      size,
      ...(originSha256 === undefined ? {} : { originSha256 }),
      ...(mirror === undefined ? {} : { mirror }),
    };
    const context = {
      records: this.#records,
      locks: this.#locks,
      storage: this.#storage,
      spares: this.#spares,
      hash: this.#hash,
    };
    return new StoredCachedFile(context, file, source, originSha256 ?? source?.sha256?.toLowerCase());
  }

  /** What is kept of the file. A size that nobody confirmed may have been a mirror's lie: its bytes are dropped. */
  async #usable(key: string, size: number): Promise<FileRecord | undefined> {
    const kept = await this.#records.file(key);
    if (!kept || kept.size === size) return kept;
    if (isConfirmed(kept)) {
      throw new ModelError(
        `${kept.name} had ${kept.size} bytes when it was downloaded and checked, and now ${size} under the same ` +
          'revision. Remove it from this device and download it again, or choose another source.',
        { keptBytes: kept.size, sourceBytes: size },
      );
    }
    await this.#records.remove(key);
    return undefined;
  }

  async list(): Promise<readonly StoredFile[]> {
    const files = await this.#records.files();
    return Promise.all(
      files.map(async (file) => {
        const { here, lost } = await this.#records.presence(file.key);
        const confirmed = isConfirmed(file);
        const complete = here.size === shardCount(file.size);
        return {
          key: file.key,
          identity: file.identity,
          name: file.name,
          size: file.size,
          keptBytes: bytesOf(file.size, here.keys()),
          lostBytes: bytesOf(file.size, lost),
          complete,
          lookedAt: !file.wanted && !complete,
          verified: confirmed ? 'origin' : 'own-hashes',
          ...(file.mirror && !confirmed ? { mirror: file.mirror } : {}),
        } satisfies StoredFile;
      }),
    );
  }

  remove(key: string): Promise<void> {
    return this.#records.remove(key);
  }

  estimate() {
    return readEstimate(this.#storage);
  }

  async requestPersistence(): Promise<'granted' | 'denied' | 'ask-window'> {
    if (await this.#storage?.persisted?.()) return 'granted';
    if (!this.#storage?.persist) return 'ask-window';
    return (await this.#storage.persist()) ? 'granted' : 'denied';
  }
}

function isConfirmed(file: FileRecord): boolean {
  return file.wholeSha256 !== undefined && file.wholeSha256 === file.originSha256;
}
