import { siluMul } from '../../../worker/gpu/activation.ts';
import { padded } from '../../../worker/gpu/step.ts';
import { execute, type KernelCase, spread, uploadStorage } from '../harness.ts';
import { expectRows, poisonedRows, readRows } from '../rows.ts';

/** f32: the error that WGSL allows exp at -20, twice; f16: the rounding of the output. */
const TOLERANCE = { f32: { relative: 1e-5 }, f16: { relative: 6e-4, absolute: 1e-7 } } as const;

export const cases: readonly KernelCase[] = [
  { cols: 8, batch: 1 },
  { cols: 45, batch: 3 },
  { cols: 1536, batch: 2 },
  { cols: 257, batch: 65 },
]
  .map(
    ({ cols, batch }): KernelCase => ({
      name: `SiLU of gate times up, ${batch} rows of ${cols}`,
      async run(gpu, random) {
        const stride = padded(cols);
        const gate = uploadStorage(gpu, spread(random.floats(batch * cols, 20), cols, stride));
        const up = uploadStorage(gpu, spread(random.floats(batch * cols, 4), cols, stride));
        const output = poisonedRows(gpu, batch, cols);
        await execute(gpu, siluMul(gpu, { gate: gate.buffer, up: up.buffer, output, cols, batch }));
        const expected = gate.values.map((x, i) => (x / (1 + Math.exp(-x))) * (up.values[i] ?? 0));
        const rows = await readRows(gpu, output, batch, cols);
        expectRows(gpu, 'silu(gate) * up', rows, expected, TOLERANCE[gpu.storage]);
      },
    }),
  )
  .concat([
    {
      name: 'SiLU of values at the ends of what f16 holds stays finite',
      async run(gpu) {
        const largest = 65504;
        const gate = uploadStorage(
          gpu,
          spread(Float32Array.of(largest, largest, -largest, -100, 300, -300, 88, -88), 8, 32),
        );
        const up = uploadStorage(
          gpu,
          spread(Float32Array.of(largest, -largest, largest, largest, 300, 300, 1, 1), 8, 32),
        );
        const output = poisonedRows(gpu, 1, 8);
        await execute(gpu, siluMul(gpu, { gate: gate.buffer, up: up.buffer, output, cols: 8, batch: 1 }));
        const most = gpu.storage === 'f16' ? largest : largest * largest;
        const expected = new Float32Array(32);
        expected.set([most, -most, 0, 0, Math.min(most, 90_000), 0, 88, 0]);
        const rows = await readRows(gpu, output, 1, 8);
        expectRows(gpu, 'extremes', rows, expected, { relative: 1e-5, absolute: 1e-20 });
      },
    },
  ]);
