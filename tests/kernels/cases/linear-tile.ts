import { linear } from '../../../worker/gpu/linear.ts';
import { padded } from '../../../worker/gpu/step.ts';
import { FORMATS, formatByName } from '../../../worker/weights/formats/index.ts';
import { execute, expectClose, expectEqual, type KernelCase, poisoned, readFloats, upload } from '../harness.ts';
import { multiplies, oddColumns } from '../products.ts';
import { uploadRows } from '../rows.ts';
import { randomWeights, uploadWeights } from '../weights.ts';

/** A subnormal half of some 2^-18: scales of 4- and 6-bit formats often are that small. */
const SMALL_HALF = 0x40;

export const cases: readonly KernelCase[] = [
  ...FORMATS.map(
    (format): KernelCase => ({
      name: `${format.name} times tiles of 16 rows and of the most`,
      async run(gpu, random) {
        const cols = oddColumns(format, random);
        await multiplies(gpu, random, { format, rows: random.integer(65, 100), cols, batch: 16, bias: true });
        const most = gpu.storage === 'f16' ? 64 : 32;
        const sum = { output: 'f32', accumulate: true } as const;
        await multiplies(gpu, random, { format, rows: 200, cols, batch: most, split: 64, ...sum });
      },
    }),
  ),
  {
    name: 'any number of rows, whole tiles or not, in weights short of a tile or longer',
    async run(gpu, random) {
      const format = formatByName('q4_0');
      for (const batch of [3, 5, 8, 11, 16, 24, 33, 40, 64, 65, 100, 128]) {
        await multiplies(gpu, random, { format, rows: random.integer(1, 130), cols: 96, batch, output: 'f32' });
      }
    },
  },
  {
    name: 'K formats times tiles of 8 and 32 rows',
    async run(gpu, random) {
      for (const format of [formatByName('q4_k'), formatByName('q6_k')]) {
        for (const batch of [8, 32]) await multiplies(gpu, random, { format, rows: 70, cols: 768, batch, bias: true });
      }
    },
  },
  {
    name: 'scales that are subnormal halves are not lost in tiles',
    async run(gpu, random) {
      for (const format of [formatByName('q4_k'), formatByName('q6_k')]) {
        const half = () => SMALL_HALF + random.integer(0, 15);
        await multiplies(gpu, random, { format, rows: 66, cols: 512, batch: 16, half, bias: true });
      }
    },
  },
  {
    name: 'a row gives the same bits in tiles of every size',
    async run(gpu, random) {
      const [format, rows, cols, batch] = [formatByName('q4_0'), 70, 160, 64];
      const weight = uploadWeights(gpu, randomWeights(format, rows, cols, random));
      const x = random.floats(batch * cols);
      const stride = padded(rows);
      const run = async (first: number, count: number) => {
        const part = uploadRows(gpu, x.subarray(first * cols, (first + count) * cols), cols);
        const y = poisoned(gpu, count * stride, 'f32');
        const options = { weight, x: part.buffer, y, batch: count, output: 'f32', accumulate: false } as const;
        await execute(gpu, linear(gpu, options));
        return readFloats(gpu, y, count * stride, 'f32');
      };
      const together = await run(0, batch);
      for (const [first, count] of [
        [8, 8],
        [40, 16],
        [31, 32],
        [61, 3],
      ] as const) {
        const rowsAlone = together.subarray(first * stride, (first + count) * stride);
        expectEqual(gpu, `${count} rows from ${first} on`, await run(first, count), rowsAlone);
      }
    },
  },
  {
    name: 'rows of a tensor that begins inside its planes, with its bias',
    async run(gpu, random) {
      const [format, rows, cols, batch, start] = [formatByName('q8_0'), 45, 96, 16, 64];
      const whole = randomWeights(format, start + rows, cols, random);
      const uploaded = uploadWeights(gpu, whole);
      const planes = uploaded.parts[0]?.planes ?? [];
      const weight = { ...uploaded, rows, biasStart: start, parts: [{ rowStart: 0, rows, planeRow: start, planes }] };
      const x = uploadRows(gpu, random.floats(batch * cols), cols);
      const bias = random.floats(start + rows);
      const y = poisoned(gpu, batch * padded(rows), 'storage');
      const options = { weight, x: x.buffer, y, batch, output: 'storage', accumulate: false } as const;
      await execute(gpu, linear(gpu, { ...options, bias: upload(gpu, bias) }));
      const expected = new Float64Array(batch * padded(rows));
      for (let b = 0; b < batch; b++) {
        for (let n = 0; n < rows; n++) {
          let sum = bias[start + n] ?? 0;
          for (let k = 0; k < cols; k++) {
            sum += (whole.values[(start + n) * cols + k] ?? 0) * (x.values[b * cols + k] ?? 0);
          }
          expected[b * padded(rows) + n] = sum;
        }
      }
      const tolerance = gpu.storage === 'f32' ? 4e-6 : 3e-3;
      const got = await readFloats(gpu, y, batch * padded(rows), 'storage');
      expectClose(gpu, 'rows inside planes', got, expected, { ofRms: tolerance, relative: tolerance });
    },
  },
];
