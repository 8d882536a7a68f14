/** Buffers that are used again and again, so that loading gigabytes leaves nothing for the garbage collector. */

/**
 * Buffers of one size that are kept when a loop has ended, for the next one. They are never freed by hand: once the
 * browser has wrapped a buffer (a stream, a hash), `transfer(0)` only hides its memory from the collector's count, and
 * the memory stays until a collection that then does not come (600 MiB seen in Chromium 156).
 */
export class SpareBuffers {
  readonly #spare: ArrayBuffer[] = [];
  readonly #bytes: number;
  readonly #keep: number;

  constructor(bytes: number, keep: number) {
    this.#bytes = bytes;
    this.#keep = keep;
  }

  take(): ArrayBuffer {
    return this.#spare.pop() ?? new ArrayBuffer(this.#bytes);
  }

  give(buffer: ArrayBuffer): void {
    if (this.fits(buffer) && this.#spare.length < this.#keep) this.#spare.push(buffer);
  }

  /** False for a buffer that was transferred away. */
  fits(buffer: ArrayBuffer): boolean {
    return buffer.byteLength === this.#bytes;
  }
}

/** A fixed number of buffers for one loop: each loop has its own, so that no loop waits for another. */
export class BufferPool {
  readonly #free: ArrayBuffer[] = [];
  readonly #waiting: ((buffer: ArrayBuffer) => void)[] = [];
  readonly #spares: SpareBuffers;
  readonly #limit: number;
  #made = 0;
  #closed = false;

  constructor(spares: SpareBuffers, limit: number) {
    this.#spares = spares;
    this.#limit = limit;
  }

  /** A buffer, if one is free. */
  tryAcquire(): ArrayBuffer | undefined {
    const free = this.#free.pop();
    if (free || this.#made >= this.#limit) return free;
    this.#made++;
    return this.#spares.take();
  }

  /** A buffer, as soon as one is free. */
  async acquire(signal: AbortSignal): Promise<ArrayBuffer> {
    signal.throwIfAborted();
    const free = this.tryAcquire();
    if (free) return free;
    return new Promise((resolve, reject) => {
      const give = (buffer: ArrayBuffer) => {
        signal.removeEventListener('abort', leave);
        resolve(buffer);
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(give), 1);
        reject(signal.reason);
      };
      this.#waiting.push(give);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Takes a buffer back; one that was transferred away and lost is replaced. */
  release(buffer: ArrayBuffer): void {
    if (this.#closed) {
      this.#spares.give(buffer);
      return;
    }
    const usable = this.#spares.fits(buffer) ? buffer : this.#spares.take();
    const next = this.#waiting.shift();
    if (next) next(usable);
    else this.#free.push(usable);
  }

  /** Gives the buffers back, those that are out when they come. */
  close(): void {
    this.#closed = true;
    for (const buffer of this.#free.splice(0)) this.#spares.give(buffer);
  }
}

/**
 * Streams with a read under way. Chromium (156, seen with `gc()` every 15 ms) collects a Blob's stream that only the
 * awaiting function refers to, and the read never settles; held from here it lives.
 */
const beingRead = new Set<ReadableStream>();

/**
 * Reads a stored value into `into` from its start: a Blob through a BYOB reader, where the browser has it. Measured in
 * Chromium 156 over 1 GiB: records kept as ArrayBuffers, or `blob.arrayBuffer()`, leave 100 MiB to gigabytes of
 * copies to the garbage collector, this none. Returns the bytes in the buffer as it is now (a BYOB reader moves it);
 * undefined when the value does not fit or cannot be read any more.
 */
export async function readValue(
  value: Blob | ArrayBuffer,
  into: ArrayBuffer,
): Promise<{ readonly buffer: ArrayBuffer; readonly bytes: Uint8Array<ArrayBuffer> | undefined }> {
  if (value instanceof ArrayBuffer) {
    const fits = value.byteLength <= into.byteLength;
    const bytes = new Uint8Array(into, 0, fits ? value.byteLength : 0);
    if (fits) bytes.set(new Uint8Array(value));
    return { buffer: into, bytes: fits ? bytes : undefined };
  }
  if (value.size > into.byteLength) return { buffer: into, bytes: undefined };
  const stream = value.stream();
  beingRead.add(stream);
  let buffer = into;
  try {
    buffer = await (isByteStream(stream) ? fillMoved(stream, into, value.size) : fillCopied(stream, into));
    return { buffer, bytes: new Uint8Array(buffer, 0, value.size) };
  } catch {
    return { buffer, bytes: undefined };
  } finally {
    beingRead.delete(stream);
  }
}

function isByteStream(stream: ReadableStream<Uint8Array>): boolean {
  try {
    stream.getReader({ mode: 'byob' }).releaseLock();
    return true;
  } catch {
    return false;
  }
}

async function fillMoved(stream: ReadableStream<Uint8Array>, into: ArrayBuffer, size: number): Promise<ArrayBuffer> {
  const reader = stream.getReader({ mode: 'byob' });
  let buffer = into;
  let filled = 0;
  while (filled < size) {
    const { value, done } = await reader.read(new Uint8Array(buffer, filled, size - filled));
    if (done) throw new Error('the value ended early');
    buffer = value.buffer as ArrayBuffer;
    filled += value.byteLength;
  }
  await reader.cancel();
  return buffer;
}

async function fillCopied(stream: ReadableStream<Uint8Array>, into: ArrayBuffer): Promise<ArrayBuffer> {
  const target = new Uint8Array(into);
  const reader = stream.getReader();
  for (let filled = 0; ; ) {
    const { value, done } = await reader.read();
    if (done) return into;
    target.set(value, filled);
    filled += value.length;
  }
}
