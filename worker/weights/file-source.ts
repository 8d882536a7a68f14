import { createSHA256 } from 'hash-wasm';
import { PersonError } from '../errors.ts';
import { chunkReader } from './chunks.ts';
import { readGgufHeader } from './gguf.ts';
import { rangeReader } from './read-whole.ts';
import { stopped } from './transport.ts';
import type { ByteSource } from './types.ts';

/**
 * A file that the person picked or dropped, known again by its size and the hash of its GGUF header.
 *
 * Throws what `readGgufHeader` throws, and PersonError when the file cannot be read any more.
 */
export async function fileSource(file: Blob, name: string, signal: AbortSignal): Promise<ByteSource> {
  const { size } = file;
  const read = (start: number, end: number, stop: AbortSignal) => readBlob(file, name, start, end, stop);
  const unnamed: ByteSource = { identity: { kind: 'picked', name, size, headerSha256: '' }, name, size, read };
  const { headerBytes } = await readGgufHeader(rangeReader(unnamed), size, signal);
  const hash = await createSHA256();
  for await (const chunk of read(0, headerBytes, signal)) hash.update(chunk);
  return { ...unnamed, identity: { kind: 'picked', name, size, headerSha256: hash.digest('hex') } };
}

async function* readBlob(
  file: Blob,
  name: string,
  start: number,
  end: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  if (signal.aborted) throw stopped(signal);
  const reader = chunkReader(file.slice(start, end).stream());
  let left = end - start;
  try {
    while (left > 0) {
      const chunk = await reader.read().catch((error: unknown) => gone(name, error));
      if (signal.aborted) throw stopped(signal);
      if (!chunk) gone(name, undefined);
      left -= chunk.length;
      yield chunk;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Browsers refuse a file that was changed, moved or unplugged since it was picked (NotReadableError). */
function gone(name: string, cause: unknown): never {
  throw new PersonError(`${name} can no longer be read: it was changed, moved or deleted. Pick it again.`, {}, cause);
}
