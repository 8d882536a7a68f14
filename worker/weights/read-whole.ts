import { ModelError } from '../errors.ts';
import type { ByteSource, RangeReader } from './types.ts';

/** A reader of whole ranges from a source: for headers and small pieces. */
export function rangeReader(source: ByteSource): RangeReader {
  return async (start, end, signal) => {
    const whole = new Uint8Array(end - start);
    let at = 0;
    for await (const chunk of source.read(start, end, signal)) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    if (at < whole.length) {
      throw new ModelError(`${source.name} is truncated: ${end} bytes were expected, ${start + at} came.`);
    }
    return whole;
  };
}
