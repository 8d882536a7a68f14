import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';
import type { FileIdentity } from '../weights/types.ts';

/** What is kept about a file beside its shards. */
export interface FileRecord {
  readonly key: string;
  readonly identity: FileIdentity;
  readonly name: string;
  readonly size: number;
  /** What the origin itself published for the whole file, hex. */
  readonly originSha256?: string;
  /** Computed here over all shards as they are kept, hex. */
  readonly wholeSha256?: string;
  /** Mirror that shards came through. */
  readonly mirror?: string;
  /** A load has asked for it; without, its header was read and no more. */
  readonly wanted?: true;
}

/** Which shards of a file are whole (bytes and hash), with their hashes, and which were and are not any more. */
export interface Presence {
  readonly here: Map<number, Uint8Array>;
  readonly lost: Set<number>;
}

/** Blobs, since they can be read into a buffer that is there; ArrayBuffers where the browser refuses Blobs. */
export type StoredValue = Blob | ArrayBuffer;

export interface StoredShard {
  readonly value: StoredValue;
  /** The `shardDigest` of the bytes as they came. */
  readonly sha256: Uint8Array;
}

/**
 * The database: one object store with three kinds of record, `['file', key]`, `['hash', key, index]` and
 * `['shard', key, index]`. A shard's three records are written in one transaction, so that a kill leaves all or none.
 */
export class Records {
  readonly #use: UseStore;
  #keepsBlobs = true;

  /** @param connect opens the database; called again when the browser has closed it */
  constructor(connect: () => UseStore) {
    let use = connect();
    this.#use = async (mode, callback) => {
      try {
        return await use(mode, callback);
      } catch (error) {
        // iOS drops the connection of a page that was in the background, without a close event; every operation
        // here can be repeated. https://bugs.webkit.org/show_bug.cgi?id=273827
        if (!isConnectionLost(error)) throw error;
        use = connect();
        return use(mode, callback);
      }
    };
  }

  static open(database: string): Records {
    return new Records(() => createStore(database, 'records'));
  }

  file(key: string): Promise<FileRecord | undefined> {
    return this.#use('readonly', (store) => promisifyRequest(store.get(['file', key])));
  }

  files(): Promise<FileRecord[]> {
    return this.#use('readonly', (store) => promisifyRequest(store.getAll(within('file'))));
  }

  presence(key: string): Promise<Presence> {
    return this.#use('readonly', async (store) => {
      const [shards, known, hashes] = await Promise.all([
        promisifyRequest(store.getAllKeys(within('shard', key))),
        promisifyRequest(store.getAllKeys(within('hash', key))),
        promisifyRequest<Uint8Array[]>(store.getAll(within('hash', key))),
      ]);
      const withBytes = new Set(shards.map(indexOf));
      const here = new Map<number, Uint8Array>();
      const lost = new Set<number>();
      known.map(indexOf).forEach((index, i) => {
        if (withBytes.has(index)) here.set(index, hashes[i] as Uint8Array);
        else lost.add(index);
      });
      return { here, lost };
    });
  }

  async hasShard(key: string, index: number): Promise<boolean> {
    return this.#use('readonly', async (store) => {
      const counts = await Promise.all([
        promisifyRequest(store.count(['shard', key, index])),
        promisifyRequest(store.count(['hash', key, index])),
      ]);
      return counts.every((count) => count === 1);
    });
  }

  /** A shard's bytes alone: half the requests of `shard` for who knows the hash. */
  async value(key: string, index: number): Promise<StoredValue | undefined> {
    const value = await this.#use('readonly', (store) => promisifyRequest(store.get(['shard', key, index])));
    return isStoredValue(value) ? value : undefined;
  }

  shard(key: string, index: number): Promise<StoredShard | undefined> {
    return this.#use('readonly', async (store) => {
      const [value, sha256] = await Promise.all([
        promisifyRequest(store.get(['shard', key, index])),
        promisifyRequest(store.get(['hash', key, index])),
      ]);
      return isStoredValue(value) && sha256 instanceof Uint8Array ? { value, sha256 } : undefined;
    });
  }

  /**
   * Writes a shard with its hash and its file's record. `bytes` may change once the promise has settled. A shard that
   * differs from what was there before takes back the whole file's hash.
   */
  async writeShard(file: FileRecord, index: number, bytes: Uint8Array<ArrayBuffer>, sha256: Uint8Array): Promise<void> {
    if (this.#keepsBlobs) {
      try {
        return await this.#writeShard(file, index, new Blob([bytes]), sha256);
      } catch (error) {
        // Private windows of some Safari versions: https://bugs.webkit.org/show_bug.cgi?id=156347
        if (!(error instanceof DOMException) || error.name === 'QuotaExceededError') throw error;
        this.#keepsBlobs = false;
      }
    }
    await this.#writeShard(file, index, bytes.slice().buffer, sha256);
  }

  #writeShard(file: FileRecord, index: number, value: StoredValue, sha256: Uint8Array): Promise<void> {
    return this.#use('readwrite', (store) => {
      store.put(value, ['shard', file.key, index]);
      const hashKey = ['hash', file.key, index];
      const asked = [promisifyRequest(store.get(hashKey)), promisifyRequest(store.get(['file', file.key]))] as const;
      void Promise.all(asked).then(
        ([known, kept]: [Uint8Array | undefined, FileRecord | undefined]) => {
          store.put(sha256, hashKey);
          const same = known !== undefined && equalBytes(known, sha256);
          store.put(merge(kept, file, same), ['file', file.key]);
        },
        () => {}, // The transaction's own failure, reported below.
      );
      return committed(store.transaction);
    });
  }

  /** Changes a file's record, if there is one. */
  updateFile(key: string, change: (record: FileRecord) => FileRecord): Promise<void> {
    return this.#use('readwrite', (store) => {
      const request: IDBRequest<FileRecord | undefined> = store.get(['file', key]);
      request.onsuccess = () => {
        if (request.result) store.put(change(request.result), ['file', key]);
      };
      return committed(store.transaction);
    });
  }

  /** Drops damaged bytes; the hash stays, so that what replaces them is compared with it. */
  dropBytes(key: string, index: number): Promise<void> {
    return this.#use('readwrite', (store) => {
      store.delete(['shard', key, index]);
      return committed(store.transaction);
    });
  }

  remove(key: string): Promise<void> {
    return this.#use('readwrite', (store) => {
      store.delete(within('shard', key));
      store.delete(within('hash', key));
      store.delete(['file', key]);
      return committed(store.transaction);
    });
  }
}

/**
 * Settles with the transaction. `promisifyRequest` would also listen for `error`, which comes up from a request before
 * the transaction has its own error, and so lose that the quota was the reason.
 */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () =>
      reject(transaction.error ?? new DOMException('the transaction was aborted', 'UnknownError'));
  });
}

function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && (error.name === 'InvalidStateError' || error.name === 'UnknownError');
}

function isStoredValue(value: unknown): value is StoredValue {
  return value instanceof Blob || value instanceof ArrayBuffer;
}

function merge(kept: FileRecord | undefined, written: FileRecord, same: boolean): FileRecord {
  const { wholeSha256, ...facts } = { ...kept, ...written };
  return same && kept?.wholeSha256 ? { ...facts, wholeSha256: kept.wholeSha256 } : facts;
}

/** Keys that begin with `parts`: an array sorts after any number or string, so `[]` closes the range. */
function within(...parts: string[]): IDBKeyRange {
  return IDBKeyRange.bound(parts, [...parts, []]);
}

function indexOf(key: IDBValidKey): number {
  return (key as [string, string, number])[2];
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
