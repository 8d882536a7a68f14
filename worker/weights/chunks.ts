/** Chunks of a stream of bytes, one after another in the same buffer. */

/** Measured over 800 MB from a local server: 1 MiB is as fast as any, 64 KiB half as fast. */
const CHUNK_BYTES = 1024 * 1024;

export interface ChunkReader {
  /** The next chunk, undefined at the end. Its bytes stand until the next one is asked for. */
  read(): Promise<Uint8Array | undefined>;
  cancel(): Promise<void>;
}

/**
 * Reads a stream through one buffer. A plain reader makes a new one for each chunk, and gigabytes of them pile up
 * between collections: 190 MiB measured in Chromium 156, 40 with this. Streams that are not of bytes (Safari's) are
 * read plainly.
 */
export function chunkReader(stream: ReadableStream<Uint8Array>): ChunkReader {
  const moving = byteReader(stream);
  if (!moving) {
    const plain = stream.getReader();
    return { read: async () => (await held(stream, plain.read())).value, cancel: () => plain.cancel() };
  }
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  return {
    async read() {
      const { value, done } = await held(stream, moving.read(new Uint8Array(buffer)));
      if (value) buffer = value.buffer;
      return done ? undefined : value;
    },
    cancel: () => moving.cancel(),
  };
}

/**
 * Streams with a read under way. Chromium (156, seen with `gc()` every 15 ms) collects a Blob's stream that only the
 * awaiting function refers to, and the read never settles; held from here it lives.
 */
const beingRead = new Set<ReadableStream>();

async function held<T>(stream: ReadableStream, read: Promise<T>): Promise<T> {
  beingRead.add(stream);
  try {
    return await read;
  } finally {
    beingRead.delete(stream);
  }
}

function byteReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: 'byob' });
  } catch {
    return undefined;
  }
}
