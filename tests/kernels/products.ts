/** Products of random rows and random tensors, beside the same in float64. */
import type { Gpu } from '../../worker/gpu/device.ts';
import { linear } from '../../worker/gpu/linear.ts';
import { padded } from '../../worker/gpu/step.ts';
import type { WeightFormat } from '../../worker/weights/types.ts';
import {
  execute,
  expectClose,
  expectTrue,
  poisoned,
  type Random,
  readFloats,
  upload,
  uploadStorage,
} from './harness.ts';
import { uploadRows } from './rows.ts';
import { bytesOfRows, type RandomWeights, randomWeights, uploadWeights } from './weights.ts';

export interface ProductShape {
  readonly format: WeightFormat;
  readonly rows: number;
  readonly cols: number;
  readonly batch: number;
  readonly output?: 'storage' | 'f32';
  readonly accumulate?: boolean;
  readonly bias?: boolean;
  /** Rows after which the tensor is split. */
  readonly split?: number;
  /** Bits of the scales, by default such that weights are of about one. */
  readonly half?: () => number;
}

/** Sums in f32, in any order, of terms that are exact or rounded once: a few parts in 10^7 of a sum's usual size. */
const F32_TOLERANCE = 4e-6;
/** Quantized weights keep an offset of 64 and more in the products with a vector until the end of a unit: parts in 10^6. */
const F32_VECTOR_TOLERANCE = 1.5e-5;
/** Activations and outputs rounded to f16 (2^-11), and in tiles the weights too. */
const F16_TOLERANCE = 3e-3;

/** Multiplies random rows by a random tensor and compares with float64. */
export async function multiplies(gpu: Gpu, random: Random, shape: ProductShape): Promise<void> {
  const { format, rows, cols, batch, output = 'storage', accumulate = false, split } = shape;
  const weights = randomWeights(format, rows, cols, random, shape.half);
  const weight = uploadWeights(gpu, weights, split && bytesOfRows(format, split, cols));
  if (split !== undefined) expectTrue(gpu, weight.parts.length > 1, `${rows} rows were not split at ${split}`);
  const x = uploadRows(gpu, random.floats(batch * cols), cols);
  const bias = shape.bias ? random.floats(rows) : undefined;
  const stride = padded(rows);
  const before = random.floats(batch * stride, Math.sqrt(cols));
  const y = accumulate
    ? output === 'f32'
      ? { buffer: upload(gpu, before), values: before }
      : uploadStorage(gpu, before)
    : { buffer: poisoned(gpu, (batch + 1) * stride, output), values: new Float32Array(batch * stride) };
  await execute(
    gpu,
    linear(gpu, {
      weight,
      x: x.buffer,
      y: y.buffer,
      batch,
      output,
      accumulate,
      ...(bias && { bias: upload(gpu, bias) }),
    }),
  );
  const expected = product(weights, x.values, batch, y.values, bias);
  const what = `${format.name} ${rows} x ${cols}, batch ${batch}`;
  const got = await readFloats(gpu, y.buffer, batch * stride, output);
  if (!accumulate) {
    const behind = (await readFloats(gpu, y.buffer, (batch + 1) * stride, output)).subarray(batch * stride);
    expectTrue(gpu, behind.every(Number.isNaN), `${what}: a row behind the batch was written`);
  }
  const offsets = format.blockWeights > 1 && (batch === 1 || batch === 2 || batch === 4);
  const f32 = offsets ? F32_VECTOR_TOLERANCE : F32_TOLERANCE;
  const tolerance = gpu.storage === 'f32' ? f32 : F16_TOLERANCE;
  expectClose(gpu, what, got, expected, { ofRms: tolerance, relative: tolerance });
}

/** In float64; columns of padding are zero. */
function product(
  { rows, cols, values }: RandomWeights,
  x: Float32Array,
  batch: number,
  before: Float32Array,
  bias: Float32Array | undefined,
): Float64Array {
  const out = new Float64Array(batch * padded(rows));
  for (let b = 0; b < batch; b++) {
    for (let n = 0; n < rows; n++) {
      let sum = (before[b * padded(rows) + n] ?? 0) + (bias?.[n] ?? 0);
      for (let k = 0; k < cols; k++) sum += (values[n * cols + k] ?? 0) * (x[b * padded(cols) + k] ?? 0);
      out[b * padded(rows) + n] = sum;
    }
  }
  return out;
}

/** Columns of a format: for the 32-weight ones an odd number of blocks, for floats any number. */
export function oddColumns(format: WeightFormat, random: Random): number {
  if (format.blockWeights === 1) return random.pick([172, 33, 100, 288]);
  if (format.blockWeights === 32) return 32 * random.pick([1, 3, 9, 18]);
  return 256 * random.pick([1, 2, 3]);
}
