/** Bytes that are given back by hand, so that loading gigabytes leaves nothing for the garbage collector. */

/**
 * Frees a buffer's memory now, not when it is collected: values read from IndexedDB are fresh each time, and 4 MiB
 * apiece they would pile up between collections. Where `transfer` is missing (before Chrome 114, Safari 17.4) the
 * collector does it.
 */
export function freeBuffer(buffer: ArrayBufferLike): void {
  const movable = buffer as { transfer?: (length: number) => ArrayBuffer };
  if (buffer.byteLength > 0) movable.transfer?.(0);
}

/** A fixed number of buffers of one size, made when first wanted. */
export class BufferPool {
  readonly #free: ArrayBuffer[] = [];
  readonly #waiting: ((buffer: ArrayBuffer) => void)[] = [];
  readonly #bytes: number;
  readonly #limit: number;
  #made = 0;

  constructor(bytes: number, limit: number) {
    this.#bytes = bytes;
    this.#limit = limit;
  }

  /** A buffer, if one is free. */
  tryAcquire(): ArrayBuffer | undefined {
    const free = this.#free.pop();
    if (free || this.#made >= this.#limit) return free;
    this.#made++;
    return new ArrayBuffer(this.#bytes);
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

  release(buffer: ArrayBuffer): void {
    const next = this.#waiting.shift();
    if (next) next(buffer);
    else this.#free.push(buffer);
  }

  /** Frees the buffers that nobody holds. */
  trim(): void {
    for (const buffer of this.#free.splice(0)) {
      this.#made--;
      freeBuffer(buffer);
    }
  }
}
