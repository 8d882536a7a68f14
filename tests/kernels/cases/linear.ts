import { linear } from '../../../worker/gpu/linear.ts';
import { padded } from '../../../worker/gpu/step.ts';
import { FORMATS, formatByName } from '../../../worker/weights/formats/index.ts';
import {
  execute,
  expectClose,
  expectEqual,
  fromHalf,
  type KernelCase,
  poisoned,
  readFloats,
  spread,
  toHalf,
} from '../harness.ts';
import { multiplies, oddColumns } from '../products.ts';
import { uploadRows } from '../rows.ts';
import { randomWeights, uploadWeights } from '../weights.ts';

const everyFormat = FORMATS.flatMap((format) =>
  [1, 2, 4].map(
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
);

export const cases: readonly KernelCase[] = [
  ...everyFormat,
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
