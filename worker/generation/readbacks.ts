import { InternalError } from '../errors.ts';

/** Bytes of a buffer. */
export interface ByteRange {
  readonly start: number;
  readonly bytes: number;
}

/** A ring of buffers through which the CPU reads results late, in the order of the steps. */
export class Readbacks {
  readonly #idle: GPUBuffer[];
  #last: Promise<unknown> = Promise.resolve();

  /** @param buffers MAP_READ | COPY_DST, each as large as what is read */
  constructor(buffers: readonly GPUBuffer[]) {
    this.#idle = [...buffers];
  }

  /** False when every buffer waits for the CPU. */
  get hasIdle(): boolean {
    return this.#idle.length > 0;
  }

  /**
   * Encodes the copy of parts of `source` and gives a function to call after the submit: it resolves with them, one
   * behind the other, never before those of earlier steps. They are a copy.
   */
  copy(encoder: GPUCommandEncoder, source: GPUBuffer, ranges: readonly ByteRange[]): () => Promise<ArrayBuffer> {
    const buffer = this.#idle.pop();
    if (buffer === undefined) throw new InternalError('More steps were encoded than results can wait.');
    let bytes = 0;
    for (const range of ranges) {
      encoder.copyBufferToBuffer(source, range.start, buffer, bytes, range.bytes);
      bytes += range.bytes;
    }
    return () => {
      const earlier = this.#last;
      const mapped = buffer.mapAsync(GPUMapMode.READ, 0, bytes);
      const result = earlier.then(async () => {
        await mapped;
        const read = buffer.getMappedRange(0, bytes).slice(0);
        buffer.unmap();
        this.#idle.push(buffer);
        return read;
      });
      this.#last = result.catch(() => {});
      mapped.catch(() => {}); // awaited above, in order
      return result;
    };
  }
}
