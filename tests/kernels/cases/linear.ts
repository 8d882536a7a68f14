import type { Gpu } from '../../../worker/gpu/device.ts';
import { linear } from '../../../worker/gpu/linear.ts';
import { padded } from '../../../worker/gpu/step.ts';
import { FORMATS, formatByName } from '../../../worker/weights/formats/index.ts';
import type { WeightFormat } from '../../../worker/weights/types.ts';
import {
  execute,
  expectClose,
  expectEqual,
  expectTrue,
  fromHalf,
  type KernelCase,
  poisoned,
  type Random,
  readFloats,
  spread,
  toHalf,
  upload,
  uploadStorage,
} from '../harness.ts';
import { uploadRows } from '../rows.ts';
import { bytesOfRows, type RandomWeights, randomWeights, uploadWeights } from '../weights.ts';

interface Shape {
  readonly format: WeightFormat;
  readonly rows: number;
  readonly cols: number;
  readonly batch: number;
  readonly output?: 'storage' | 'f32';
  readonly accumulate?: boolean;
  readonly bias?: boolean;
  /** Rows after which the tensor is split. */
  readonly split?: number;
}

/** Sums in f32, in any order, of terms that are exact or rounded once: a few parts in 10^7 of a sum's usual size. */
const F32_TOLERANCE = 4e-6;
/** Activations and outputs rounded to f16 (2^-11), and in tiles the weights too. */
const F16_TOLERANCE = 3e-3;

async function multiplies(gpu: Gpu, random: Random, shape: Shape): Promise<void> {
  const { format, rows, cols, batch, output = 'storage', accumulate = false, split } = shape;
  const weights = randomWeights(format, rows, cols, random);
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
    : { buffer: poisoned(gpu, batch * stride, output), values: new Float32Array(batch * stride) };
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
  const tolerance = gpu.storage === 'f32' ? F32_TOLERANCE : F16_TOLERANCE;
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
function oddColumns(format: WeightFormat, random: Random): number {
  if (format.blockWeights === 1) return random.pick([172, 33, 100, 288]);
  if (format.blockWeights === 32) return 32 * random.pick([1, 3, 9, 18]);
  return 256 * random.pick([1, 2, 3]);
}

const everyFormat = FORMATS.flatMap((format): KernelCase[] => [
  ...[1, 2, 4].map(
    (batch): KernelCase => ({
      name: `${format.name} times ${batch} rows`,
      async run(gpu, random) {
        const rows = random.integer(5, 70);
        await multiplies(gpu, random, { format, rows, cols: oddColumns(format, random), batch });
        await multiplies(gpu, random, {
          format,
          rows: 130,
          cols: oddColumns(format, random),
          batch,
          output: 'f32',
          accumulate: true,
          bias: true,
          split: 64,
        });
      },
    }),
  ),
  {
    name: `${format.name} times tiles of rows`,
    async run(gpu, random) {
      const rows = random.integer(65, 100);
      const cols = oddColumns(format, random);
      await multiplies(gpu, random, { format, rows, cols, batch: 8, bias: true });
      await multiplies(gpu, random, { format, rows, cols, batch: 32, output: 'f32', accumulate: true });
      await multiplies(gpu, random, { format, rows: 200, cols, batch: 16, split: 64, bias: true, accumulate: true });
    },
  },
]);

export const cases: readonly KernelCase[] = [
  ...everyFormat,
  {
    name: 'every batch up to 40 and bigger ones, rows short of a workgroup',
    async run(gpu, random) {
      const format = formatByName('q4_1');
      for (const batch of [1, 2, 4, 8, 16, 24, 32, 40, 64, 128]) {
        await multiplies(gpu, random, { format, rows: random.integer(1, 67), cols: 96, batch });
      }
    },
  },
  {
    name: 'rows longer than one pass of the threads',
    async run(gpu, random) {
      await multiplies(gpu, random, { format: formatByName('q8_0'), rows: 6, cols: 32 * 141, batch: 1 });
      await multiplies(gpu, random, { format: formatByName('q6_k'), rows: 7, cols: 4352, batch: 2, output: 'f32' });
      await multiplies(gpu, random, { format: formatByName('f16'), rows: 5, cols: 2081, batch: 4 });
    },
  },
  {
    name: 'a row gives the same bits whichever rows share its batch',
    async run(gpu, random) {
      for (const format of FORMATS) {
        const [rows, cols] = [37, oddColumns(format, random)];
        const weight = uploadWeights(gpu, randomWeights(format, rows, cols, random));
        const x = random.floats(4 * cols);
        const stride = padded(rows);
        const run = async (first: number, batch: number) => {
          const part = uploadRows(gpu, x.subarray(first * cols, (first + batch) * cols), cols);
          const y = poisoned(gpu, batch * stride, 'f32');
          const options = { weight, x: part.buffer, y, batch, output: 'f32', accumulate: false } as const;
          await execute(gpu, linear(gpu, options));
          return readFloats(gpu, y, batch * stride, 'f32');
        };
        const together = await run(0, 4);
        const pair = await run(1, 2);
        expectEqual(gpu, `${format.name}, rows 1 and 2 of four`, pair, together.subarray(stride, 3 * stride));
        for (let b = 0; b < 4; b++) {
          const alone = await run(b, 1);
          expectEqual(gpu, `${format.name}, row ${b} of four`, alone, together.subarray(b * stride, (b + 1) * stride));
        }
      }
    },
  },
  {
    name: 'sums beyond the largest half are clamped, not infinite',
    async run(gpu) {
      const format = formatByName('f32');
      const values = new Float32Array(32).fill(300);
      const blocks = new Uint8Array(values.buffer);
      for (const batch of [1, 8]) {
        const weight = uploadWeights(gpu, { format, rows: 1, cols: 32, blocks, values });
        const x = uploadRows(gpu, new Float32Array(32 * batch).fill(300), 32);
        const y = poisoned(gpu, 32 * batch, 'storage');
        await execute(gpu, linear(gpu, { weight, x: x.buffer, y, batch, output: 'storage', accumulate: false }));
        const got = await readFloats(gpu, y, 32 * batch, 'storage');
        const largest = gpu.storage === 'f16' ? fromHalf(toHalf(65504)) : 32 * 300 * 300;
        expectClose(gpu, `batch ${batch}`, got, spread(new Float32Array(batch).fill(largest), 1, 32), {
          relative: 1e-6,
        });
      }
    },
  },
];
