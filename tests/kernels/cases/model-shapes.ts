import type { Gpu } from '../../../worker/gpu/device.ts';
import { embed } from '../../../worker/gpu/embed.ts';
import { linear, linearKernel } from '../../../worker/gpu/linear.ts';
import { Program } from '../../../worker/gpu/program.ts';
import { padded, STEP_WORDS } from '../../../worker/gpu/step.ts';
import { allocateTensor, freeTensor } from '../../../worker/gpu/tensor.ts';
import { FORMATS, formatByName } from '../../../worker/weights/formats/index.ts';
import type { FormatName } from '../../../worker/weights/types.ts';
import { type KernelCase, poisoned } from '../harness.ts';

const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const PHONE_BINDING_BYTES = 128 * 1024 * 1024;

/** Rows and columns of a model's matrices; the last one is both embedding and head. */
const MODELS: readonly (readonly [name: string, matrices: readonly (readonly [rows: number, cols: number])[]])[] = [
  [
    'SmolLM2-135M',
    [
      [576, 576],
      [192, 576],
      [1536, 576],
      [576, 1536],
      [49_152, 576],
    ],
  ],
  [
    'Llama-3.2-1B',
    [
      [2048, 2048],
      [512, 2048],
      [8192, 2048],
      [2048, 8192],
      [128_256, 2048],
    ],
  ],
  [
    'Qwen3-4B',
    [
      [4096, 2560],
      [1024, 2560],
      [9728, 2560],
      [2560, 9728],
      [151_936, 2560],
    ],
  ],
];

/** Formats whose blocks fit SmolLM2's 576 columns, and the two that larger models come in. */
const BLOCK_FORMATS: readonly FormatName[] = ['q8_0', 'q4_0', 'q4_1', 'q4_k', 'q6_k'];

async function programsAreValid(gpu: Gpu, rows: number, cols: number, head: boolean): Promise<void> {
  const limits = { ...gpu.limits, maxBindingBytes: PHONE_BINDING_BYTES };
  for (const format of BLOCK_FORMATS.map(formatByName)) {
    if (cols % format.blockWeights !== 0) continue;
    const weight = allocateTensor({ ledger: gpu.ledger, limits }, 'weight', format, rows, cols);
    const most = head ? 16 : 512;
    const x = poisoned(gpu, most * padded(cols), 'storage');
    const y = poisoned(gpu, most * padded(rows), 'f32');
    const wide = poisoned(gpu, 512 * padded(cols), 'f32');
    for (const batch of BATCHES.filter((size) => size <= most)) {
      const product = { weight, x, y, batch, output: 'f32', accumulate: !head } as const;
      await new Program(gpu.device, linear(gpu, product)).ready();
    }
    if (head) {
      const step = poisoned(gpu, STEP_WORDS, 'u32');
      const sampled = poisoned(gpu, 16, 'u32');
      await new Program(gpu.device, embed(gpu, { weight, step, sampled, hidden: wide, batch: 512 })).ready();
    }
    freeTensor(gpu, weight);
    for (const buffer of [x, y, wide]) gpu.ledger.free(buffer);
  }
}

export const cases: readonly KernelCase[] = [
  ...MODELS.flatMap(([name, matrices]) =>
    matrices.map(
      ([rows, cols], i): KernelCase => ({
        name: `${name}, ${rows} x ${cols}: every batch, in bindings of 128 MiB`,
        environments: ['null'],
        run: (gpu) => programsAreValid(gpu, rows, cols, i === matrices.length - 1),
      }),
    ),
  ),
  ...FORMATS.map(
    (format): KernelCase => ({
      name: `${format.name}: every variant of a product compiles`,
      environments: ['null'],
      async run(gpu) {
        const cols = Math.max(32, format.blockWeights);
        const weight = { format, rows: 64, cols, parts: [] };
        const bias = poisoned(gpu, 64, 'f32');
        for (const batch of BATCHES) {
          for (const output of ['storage', 'f32'] as const) {
            for (const accumulate of [false, true]) {
              for (const optional of [{}, { bias }]) {
                const options = { weight, batch, output, accumulate, ...optional };
                const { name, constants } = linearKernel(gpu.storage, options, { rowStart: 0, rows: 64, planeRow: 0 });
                await gpu.kernels.get(name, constants).ready;
              }
            }
          }
        }
      },
    }),
  ),
];
