import { InternalError } from '../errors.ts';

/** A ring of buffers through which the CPU reads results late, in the order of the steps. */
export class Readbacks {
  readonly #idle: GPUBuffer[];
  readonly #bytes: number;
  #last: Promise<unknown> = Promise.resolve();

  /** @param buffers MAP_READ | COPY_DST, each of at least `bytes` */
  constructor(buffers: readonly GPUBuffer[], bytes: number) {
    this.#idle = [...buffers];
    this.#bytes = bytes;
  }

  /** False when every buffer waits for the CPU. */
  get hasIdle(): boolean {
    return this.#idle.length > 0;
  }

  /**
   * Encodes the copy of `source` and gives a function to call after the submit: it resolves with the bytes, never
   * before those of earlier steps. The bytes are a copy.
   */
  copy(encoder: GPUCommandEncoder, source: GPUBuffer): () => Promise<Uint32Array> {
    const buffer = this.#idle.pop();
    if (buffer === undefined) throw new InternalError('More steps were encoded than results can wait.');
    encoder.copyBufferToBuffer(source, 0, buffer, 0, this.#bytes);
    return () => {
      const earlier = this.#last;
      const mapped = buffer.mapAsync(GPUMapMode.READ, 0, this.#bytes);
      const result = earlier.then(async () => {
        await mapped;
        const words = new Uint32Array(buffer.getMappedRange(0, this.#bytes).slice(0));
        buffer.unmap();
        this.#idle.push(buffer);
        return words;
      });
      this.#last = result.catch(() => {});
      mapped.catch(() => {}); // awaited above, in order
      return result;
    };
  }
}
