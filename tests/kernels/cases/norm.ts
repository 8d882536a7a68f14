import { rmsNorm } from '../../../worker/gpu/norm.ts';
import { MAX_LOGIT_ROWS, padded } from '../../../worker/gpu/step.ts';
import { execute, expectClose, expectEqual, type KernelCase, spread, upload } from '../harness.ts';
import { expectRows, poisonedRows, readRows } from '../rows.ts';
import { uploadStep } from '../step.ts';

/** f32: a sum of up to 5,000 squares in a fixed order and one square root; f16: the rounding of the output. */
const TOLERANCE = { f32: { relative: 2e-6 }, f16: { relative: 6e-4, absolute: 1e-7 } } as const;

const shapes = [
  { cols: 8, batch: 1 },
  { cols: 31, batch: 3 },
  { cols: 64, batch: 5 },
  { cols: 576, batch: 2 },
  { cols: 701, batch: 17 },
  { cols: 4998, batch: 2 },
];

export const cases: readonly KernelCase[] = [
  ...shapes.map(
    ({ cols, batch }): KernelCase => ({
      name: `RMS norm of ${batch} rows of ${cols}`,
      async run(gpu, random) {
        const input = random.floats(batch * cols, 3);
        const weight = random.floats(cols);
        const stride = padded(cols);
        const output = poisonedRows(gpu, batch, cols);
        const dispatches = rmsNorm(gpu, {
          input: upload(gpu, spread(input, cols, stride)),
          weight: upload(gpu, weight),
          output,
          form: 'normed',
          cols,
          eps: 1e-2,
          batch,
        });
        await execute(gpu, dispatches);
        const expected = spread(normalized(input, weight, cols, 1e-2), cols, stride);
        const rows = await readRows(gpu, output, batch, cols);
        expectRows(gpu, 'normalized', rows, expected, TOLERANCE[gpu.storage]);
      },
    }),
  ),
  ...shapes.map(
    ({ cols, batch }): KernelCase => ({
      name: `${batch} rows of ${cols} times the weights of an RMS norm, with what is left to divide by`,
      async run(gpu, random) {
        const stride = padded(cols);
        // rows of very different sizes
        const input = random.floats(batch * cols).map((x, i) => x * 10 ** ((Math.floor(i / cols) * 5) % 9));
        const weight = random.floats(cols, 2);
        const output = poisonedRows(gpu, batch, cols);
        const buffers = { input: upload(gpu, spread(input, cols, stride)), weight: upload(gpu, weight), output };
        await execute(gpu, rmsNorm(gpu, { ...buffers, form: 'entered', cols, eps: 1e-6, batch }));
        const rows = await readRows(gpu, output, batch, cols);
        const normed = normalized(input, weight, cols, 1e-6);
        const whole = spread(input, cols, stride);
        const scaled = (x: number, i: number) => x * (rows.scales[Math.floor(i / cols)] ?? 0);
        const products = spread(
          input.map((x, i) => scaled(x * (weight[i % cols] ?? 0), i)),
          cols,
          stride,
        );
        expectRows(gpu, 'values', rows, products, TOLERANCE[gpu.storage]);
        expectEqual(
          gpu,
          'powers of two',
          rows.scales.map((s) => Math.log2(s) % 1),
          new Float32Array(batch),
        );
        const squares = Float64Array.from(rows.squares, (_, i) =>
          whole.subarray(i * 8, i * 8 + 8).reduce((sum, x) => sum + x * x, 0),
        );
        expectClose(gpu, 'squares', rows.squares, squares, { relative: 1e-6 });
        // the root mean square from squares and scale brings the values to those that are normed
        const divided = rows.values.map((x, i) => {
          const row = Math.floor(i / stride);
          const own = rows.squares.subarray((row * stride) / 8, ((row + 1) * stride) / 8);
          const rms = Math.sqrt(own.reduce((sum, y) => sum + y, 0) / cols + 1e-6);
          return x / ((rows.scales[row] ?? 0) * rms);
        });
        expectClose(gpu, 'normed', divided, spread(normed, cols, stride), { relative: 1.2e-3, absolute: 1e-6 });
        const rms = rows.scales.map((s, row) => {
          const own = input.subarray(row * cols, (row + 1) * cols);
          return s * Math.sqrt(own.reduce((sum, x) => sum + x * x, 0) / cols + 1e-6);
        });
        expectClose(
          gpu,
          'an eighth or little less',
          rms,
          rms.map(() => 3 / 32),
          { absolute: 1.001 / 32 },
        );
      },
    }),
  ),
  {
    name: 'RMS norm of the rows that want logits, and zeros for the rest',
    async run(gpu, random) {
      const cols = 90;
      const stride = padded(cols);
      const batch = 6;
      const wanted = [1, 2, 5];
      const input = random.floats(batch * cols);
      const weight = random.floats(cols);
      const step = uploadStep(
        gpu,
        Array.from({ length: batch }, (_, i) => ({ slot: 0, position: i, wantsLogits: wanted.includes(i) })),
        batch,
      );
      const output = poisonedRows(gpu, MAX_LOGIT_ROWS, cols);
      const dispatches = rmsNorm(gpu, {
        input: upload(gpu, spread(input, cols, stride)),
        weight: upload(gpu, weight),
        output,
        form: 'normed',
        cols,
        eps: 1e-6,
        batch: MAX_LOGIT_ROWS,
        gather: step,
      });
      await execute(gpu, dispatches);
      const all = normalized(input, weight, cols, 1e-6);
      const expected = new Float32Array(MAX_LOGIT_ROWS * stride);
      wanted.forEach((row, i) => {
        expected.set(all.subarray(row * cols, (row + 1) * cols), i * stride);
      });
      const rows = await readRows(gpu, output, MAX_LOGIT_ROWS, cols);
      expectRows(gpu, 'normalized', rows, expected, TOLERANCE[gpu.storage]);
    },
  },
  {
    name: 'RMS norm of a row of zeros is zeros',
    async run(gpu, random) {
      const output = poisonedRows(gpu, 1, 64);
      const buffers = { input: upload(gpu, new Float32Array(64)), weight: upload(gpu, random.floats(64)), output };
      await execute(gpu, rmsNorm(gpu, { ...buffers, form: 'normed', cols: 64, eps: 1e-6, batch: 1 }));
      expectRows(gpu, 'zeros', await readRows(gpu, output, 1, 64), new Float32Array(64), {});
    },
  },
];

function normalized(input: Float32Array, weight: Float32Array, cols: number, eps: number): Float32Array {
  const out = new Float32Array(input.length);
  for (let first = 0; first < input.length; first += cols) {
    let squares = 0;
    for (let i = 0; i < cols; i++) squares += (input[first + i] ?? 0) ** 2;
    const scale = 1 / Math.sqrt(squares / cols + eps);
    for (let i = 0; i < cols; i++) out[first + i] = (input[first + i] ?? 0) * scale * (weight[i] ?? 0);
  }
  return out;
}
