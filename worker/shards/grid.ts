import type { FileIdentity } from '../weights/types.ts';
import { SHARD_BYTES } from './types.ts';

/** The key of a file in the store: hub files by commit, URLs by ETag, picked files by size and header. */
export function fileKey(identity: FileIdentity): string {
  switch (identity.kind) {
    case 'hub':
      return JSON.stringify(['hub', identity.repository, identity.commit, identity.file]);
    case 'url':
      return JSON.stringify(['url', identity.address, identity.etag]);
    case 'picked':
      return JSON.stringify(['picked', identity.size, identity.headerSha256]);
    default:
      return identity satisfies never;
  }
}

/** A file's name for people, without folders. */
export function fileName(identity: FileIdentity): string {
  switch (identity.kind) {
    case 'hub':
      return lastPart(identity.file);
    case 'url':
      return lastPart(identity.address.replace(/[?#].*$/, ''));
    case 'picked':
      return identity.name;
    default:
      return identity satisfies never;
  }
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

/** Shards of a file of `size` bytes. */
export function shardCount(size: number): number {
  return Math.ceil(size / SHARD_BYTES);
}

/** Bytes of shard `index`: SHARD_BYTES, less for the file's last. */
export function shardLength(size: number, index: number): number {
  return Math.min(SHARD_BYTES, size - index * SHARD_BYTES);
}

/** Bytes of all these shards together. */
export function bytesOf(size: number, indices: Iterable<number>): number {
  let sum = 0;
  for (const index of indices) sum += shardLength(size, index);
  return sum;
}

/** The shards that [start, end) touches, ascending. */
export function shardsBetween(start: number, end: number): number[] {
  const indices: number[] = [];
  if (end <= start) return indices;
  for (let index = Math.floor(start / SHARD_BYTES); index * SHARD_BYTES < end; index++) indices.push(index);
  return indices;
}
