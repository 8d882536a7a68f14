/** For tests: a source whose every byte is a function of its offset, which counts what was taken from it. */
import { createHash } from 'node:crypto';
import { RetryError } from '../errors.ts';
import type { ByteSource, FileIdentity } from '../weights/types.ts';
import { SHARD_BYTES } from './types.ts';

export const HUB_FILE: FileIdentity = { kind: 'hub', repository: 'a/b', commit: 'c0ffee', file: 'q4/m.gguf' };

export function content(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const words = new Uint32Array(bytes.buffer, 0, size >> 2);
  let state = seed;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = state;
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export class TestSource implements ByteSource {
  readonly identity: FileIdentity;
  readonly name = 'm.gguf';
  readonly size: number;
  readonly sha256?: string;
  readonly mirror?: string;
  readonly bytes: Uint8Array;
  /** Ranges asked for, one a request. */
  readonly requests: { start: number; end: number }[] = [];
  /** How often each shard's bytes were handed out, in whole shards. */
  readonly taken: number[];
  /** Requests that were neither read to the end nor cancelled. */
  open = 0;
  chunkBytes = 300_001;
  /** The connection drops after so many more bytes. */
  dropAfter = Number.POSITIVE_INFINITY;
  /** Awaited before each chunk. */
  gate: () => Promise<void> = async () => {};

  constructor(bytes: Uint8Array, options: { identity?: FileIdentity; sha256?: string; mirror?: string } = {}) {
    this.bytes = bytes;
    this.size = bytes.length;
    this.identity = options.identity ?? HUB_FILE;
    if (options.sha256 !== undefined) this.sha256 = options.sha256;
    if (options.mirror !== undefined) this.mirror = options.mirror;
    this.taken = new Array(Math.ceil(this.size / SHARD_BYTES)).fill(0);
  }

  get takenBytes(): number {
    return this.taken.reduce((sum, bytes) => sum + bytes, 0);
  }

  async *read(start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.requests.push({ start, end });
    this.open++;
    try {
      for (let at = start; at < end; ) {
        await this.gate();
        signal.throwIfAborted();
        const shard = Math.floor(at / SHARD_BYTES);
        const length = Math.min(this.chunkBytes, end - at, (shard + 1) * SHARD_BYTES - at);
        if (this.dropAfter < length) throw new RetryError('The network is gone.');
        this.dropAfter -= length;
        this.taken[shard] = (this.taken[shard] ?? 0) + length;
        yield this.bytes.slice(at, at + length);
        at += length;
      }
    } finally {
      this.open--;
    }
  }
}
