import { rmsNorm } from '../../../worker/gpu/norm.ts';
import { MAX_LOGIT_ROWS, padded } from '../../../worker/gpu/step.ts';
import { execute, expectClose, type KernelCase, poisoned, readFloats, spread, upload } from '../harness.ts';
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
        const output = poisoned(gpu, batch * stride, 'storage');
        const dispatches = rmsNorm(gpu, {
          input: upload(gpu, spread(input, cols, stride)),
          weight: upload(gpu, weight),
          output,
          cols,
          eps: 1e-2,
          batch,
        });
        await execute(gpu, dispatches);
        const expected = spread(normalized(input, weight, cols, 1e-2), cols, stride);
        const actual = await readFloats(gpu, output, batch * stride, 'storage');
        expectClose(gpu, 'normalized', actual, expected, TOLERANCE[gpu.storage]);
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
      const output = poisoned(gpu, MAX_LOGIT_ROWS * stride, 'storage');
      const dispatches = rmsNorm(gpu, {
        input: upload(gpu, spread(input, cols, stride)),
        weight: upload(gpu, weight),
        output,
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
      const actual = await readFloats(gpu, output, MAX_LOGIT_ROWS * stride, 'storage');
      expectClose(gpu, 'normalized', actual, expected, TOLERANCE[gpu.storage]);
    },
  },
  {
    name: 'RMS norm of a row of zeros is zeros',
    async run(gpu, random) {
      const output = poisoned(gpu, 64, 'storage');
      const buffers = { input: upload(gpu, new Float32Array(64)), weight: upload(gpu, random.floats(64)), output };
      await execute(gpu, rmsNorm(gpu, { ...buffers, cols: 64, eps: 1e-6, batch: 1 }));
      expectClose(gpu, 'zeros', await readFloats(gpu, output, 64, 'storage'), new Float32Array(64), {});
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
