/** What becomes of a head before it is attended: norm and rotation in float64, and how closely it is kept. */
import type { Gpu } from '../../worker/gpu/device.ts';
import type { RopePairing } from '../../worker/gpu/rope.ts';
import { expectClose } from './harness.ts';

/** Each number is within half of a 254th of what its head spans, or its key's from the middle; and a little for that one. */
export function expectQuantized(gpu: Gpu, what: string, actual: number[], expected: number[], headSize: number): void {
  for (let at = 0; at < expected.length; at += headSize) {
    const head = expected.slice(at, at + headSize);
    const middle = what === 'keys' ? (Math.max(...head) + Math.min(...head)) / 2 : 0;
    const reach = Math.max(...head.map((x) => Math.abs(x - middle))) + Math.abs(middle) / 128;
    const tolerance = { absolute: (0.5 / 127) * reach * 1.01, relative: 1e-5 };
    expectClose(gpu, `${what} from ${at} on`, actual.slice(at, at + headSize), head, tolerance);
  }
}

/** Cosine and sine of each pair of dimensions at each position. */
export function turns(frequencies: Float64Array, positions: number): Float32Array<ArrayBuffer> {
  const angles = Array.from({ length: positions }, (_, position) => [...frequencies.map((each) => position * each)]);
  return Float32Array.from(angles.flat().flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));
}

/** A head after an RMS norm. */
export function normalize(head: ArrayLike<number>, weight: Float32Array, eps: number): Float64Array {
  const squares = Array.from(head).reduce((sum, x) => sum + x * x, 0);
  const scale = 1 / Math.sqrt(squares / head.length + eps);
  return Float64Array.from(head, (x, i) => x * scale * (weight[i] ?? 0));
}

/** A head turned by its position. */
export function rotate(
  head: Float64Array,
  frequencies: Float64Array,
  position: number,
  pairing: RopePairing,
): Float64Array {
  const out = Float64Array.from(head);
  frequencies.forEach((frequency, i) => {
    const [a, b] = pairing === 'adjacent' ? [2 * i, 2 * i + 1] : [i, i + frequencies.length];
    const [x, y] = [head[a] ?? 0, head[b] ?? 0];
    out[a] = x * Math.cos(position * frequency) - y * Math.sin(position * frequency);
    out[b] = x * Math.sin(position * frequency) + y * Math.cos(position * frequency);
  });
  return out;
}
