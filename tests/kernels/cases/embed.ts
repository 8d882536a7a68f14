import type { Gpu } from '../../../worker/gpu/device.ts';
import { embed } from '../../../worker/gpu/embed.ts';
import { padded, STEP_WORDS, type StepRow, writeStep } from '../../../worker/gpu/step.ts';
import { FORMATS, formatByName } from '../../../worker/weights/formats/index.ts';
import type { WeightFormat } from '../../../worker/weights/types.ts';
import {
  execute,
  expectClose,
  expectTrue,
  type KernelCase,
  poisoned,
  type Random,
  readFloats,
  upload,
} from '../harness.ts';
import { bytesOfRows, randomWeights, uploadWeights } from '../weights.ts';

const SLOTS = 6;
/** The weight times the scale, which a driver may join with the format's own scale first: two roundings. */
const TOLERANCE = 2 ** -22;

interface Shape {
  readonly format: WeightFormat;
  readonly cols: number;
  readonly vocabulary: number;
  readonly scale?: number;
  readonly split?: number;
}

async function embeds(gpu: Gpu, random: Random, { format, cols, vocabulary, scale, split }: Shape): Promise<void> {
  const weights = randomWeights(format, vocabulary, cols, random);
  const weight = uploadWeights(gpu, weights, split && bytesOfRows(format, split, cols));
  if (split !== undefined) expectTrue(gpu, weight.parts.length > 1, `${vocabulary} rows were not split at ${split}`);
  const sampled = Uint32Array.from({ length: SLOTS }, () => random.integer(0, vocabulary - 1));
  const tokens = [0, vocabulary - 1, vocabulary, 0xffffffff, random.integer(0, vocabulary - 1), 1];
  const rows: StepRow[] = tokens.map((token, slot) => ({
    token,
    position: 0,
    slot,
    fromSampled: slot >= 4,
    wantsLogits: false,
  }));
  const bucket = 8; // two rows of padding
  const words = new Uint32Array(STEP_WORDS);
  writeStep(words, rows, bucket);
  const stride = padded(cols);
  const hidden = poisoned(gpu, bucket * stride, 'f32');
  await execute(
    gpu,
    embed(gpu, {
      weight,
      step: upload(gpu, words),
      sampled: upload(gpu, sampled),
      hidden,
      batch: bucket,
      ...(scale !== undefined && { scale }),
    }),
  );
  const expected = new Float64Array(bucket * stride);
  for (const [i, row] of rows.entries()) {
    const token = row.fromSampled ? (sampled[row.slot] ?? 0) : row.token;
    if (token >= vocabulary) continue;
    for (let k = 0; k < cols; k++) expected[i * stride + k] = (weights.values[token * cols + k] ?? 0) * (scale ?? 1);
  }
  const what = `${format.name}, ${vocabulary} tokens of ${cols}`;
  expectClose(gpu, what, await readFloats(gpu, hidden, bucket * stride, 'f32'), expected, { relative: TOLERANCE });
}

export const cases: readonly KernelCase[] = [
  ...FORMATS.map(
    (format): KernelCase => ({
      name: `${format.name} rows of tokens, given and sampled, with padding and tokens outside the vocabulary`,
      async run(gpu, random) {
        const cols = format.blockWeights === 1 ? 172 : format.blockWeights * 3;
        await embeds(gpu, random, { format, cols, vocabulary: random.integer(20, 90) });
        await embeds(gpu, random, { format, cols, vocabulary: 200, scale: 1.75, split: 64 });
      },
    }),
  ),
  {
    name: 'a row wider than a workgroup',
    async run(gpu, random) {
      await embeds(gpu, random, { format: formatByName('q8_0'), cols: 1056, vocabulary: 10 });
    },
  },
];
