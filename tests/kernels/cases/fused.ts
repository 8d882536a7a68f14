import type { Gpu } from '../../../worker/gpu/device.ts';
import { gatedProduct, type QkvKind, qkvProduct, residualProduct } from '../../../worker/gpu/fused.ts';
import type { KvType } from '../../../worker/gpu/kv.ts';
import type { VectorBatch } from '../../../worker/gpu/matvec.ts';
import { rmsNorm } from '../../../worker/gpu/norm.ts';
import type { RopePairing } from '../../../worker/gpu/rope.ts';
import { PAGE_POSITIONS, padded } from '../../../worker/gpu/step.ts';
import { formatByName } from '../../../worker/weights/formats/index.ts';
import type { FormatName } from '../../../worker/weights/types.ts';
import {
  execute,
  expectClose,
  expectEqual,
  expectTrue,
  type KernelCase,
  type Random,
  readFloats,
  spread,
  upload,
} from '../harness.ts';
import { placeOf, readKv, shuffledPages, unwrittenKv } from '../kv.ts';
import { expectQuantized, normalize, rotate, turns } from '../rotation.ts';
import { expectRows, poisonedRows, type Rows, readRows, uploadRows } from '../rows.ts';
import { uploadStep } from '../step.ts';
import { bytesOfRows, type RandomWeights, randomWeights, uploadJoined, uploadWeights } from '../weights.ts';

/** Sums in f32 of terms that are rounded once, offsets of weights left in until the end of a unit; f16: outputs rounded, too. */
const TOLERANCE = { f32: { ofRms: 2e-5, relative: 2e-5 }, f16: { ofRms: 1e-3, relative: 1e-3 } } as const;
const EPS = 1e-3;

/** Rows of hidden values after a norm's weights but before its division, and in float64 what division makes of products. */
function unnormed(gpu: Gpu, random: Random, batch: number, cols: number) {
  const hidden = random.floats(batch * cols).map((x, i) => x * 3 ** (Math.floor(i / cols) - 1));
  const scales = Float32Array.from({ length: batch }, (_, row) => 2 ** (-2 - row));
  const squares = spread(hidden, cols, padded(cols));
  const eights = Float32Array.from({ length: squares.length / 8 }, (_, i) =>
    squares.subarray(i * 8, i * 8 + 8).reduce((sum, x) => sum + x * x, 0),
  );
  const scaled = hidden.map((x, i) => x * (scales[Math.floor(i / cols)] ?? 0));
  const x = uploadRows(gpu, scaled, cols, { scales, squares: eights });
  const rms = Float64Array.from({ length: batch }, (_, row) =>
    Math.sqrt(hidden.subarray(row * cols, (row + 1) * cols).reduce((sum, y) => sum + y * y, 0) / cols + EPS),
  );
  /** Entry n of the product of row b, divided. */
  const divided = (weights: RandomWeights, b: number, n: number) => {
    const row = x.values.subarray(b * padded(cols), b * padded(cols) + cols);
    return dot(weights, n, row) / ((scales[b] ?? 0) * (rms[b] ?? 0));
  };
  return { x: x.buffer, rms, divided };
}

function dot({ cols, values }: RandomWeights, n: number, row: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < cols; k++) sum += (values[n * cols + k] ?? 0) * (row[k] ?? 0);
  return sum;
}

/** What is found in tails: the power of two is near an eighth of 1 / rms. */
function expectScales(gpu: Gpu, scales: Float32Array, rms: Float64Array): void {
  const expected = Array.from(rms, (each) => 2 ** Math.floor(Math.log2(1 / each)) / 8);
  expectEqual(gpu, 'powers of two', scales, expected);
}

// ---------- onto the residual ----------

async function addsToHidden(
  gpu: Gpu,
  random: Random,
  { format, rows, cols, batch, bias = false, split }: Residual,
): Promise<void> {
  const weights = randomWeights(formatByName(format), rows, cols, random);
  const weight = uploadWeights(gpu, weights, split && bytesOfRows(weights.format, split, cols));
  if (split !== undefined) expectTrue(gpu, weight.parts.length > 1, `${rows} rows were not split at ${split}`);
  const scales = Float32Array.from({ length: batch }, (_, b) => 2 ** (b - 3));
  const x = uploadRows(gpu, random.floats(batch * cols), cols, { scales });
  const stride = padded(rows);
  const before = spread(random.floats(batch * rows, 5), rows, stride);
  const hidden = upload(gpu, before);
  const norm = random.floats(rows, 2);
  const added = bias ? random.floats(rows) : undefined;
  const output = poisonedRows(gpu, batch, rows);
  const more = added === undefined ? {} : { bias: upload(gpu, added) };
  const next = { output, norm: upload(gpu, norm) };
  await execute(gpu, residualProduct(gpu, { weight, x: x.buffer, batch, hidden, next, ...more }));
  const expected = Float64Array.from(before, (value, i) => {
    const [b, n] = [Math.floor(i / stride), i % stride];
    if (n >= rows) return 0;
    return value + (added?.[n] ?? 0) + dot(weights, n, x.values.subarray(b * padded(cols), (b + 1) * padded(cols)));
  });
  const got = await readFloats(gpu, hidden, batch * stride, 'f32');
  const tolerance = gpu.storage === 'f32' ? TOLERANCE.f32 : { ofRms: 3e-4, relative: 3e-4 };
  expectClose(gpu, 'hidden', got, expected, tolerance);
  // what follows is by hidden as it is
  const rowsOut = await readRows(gpu, output, batch, rows);
  const following = got.map((value, i) => value * (norm[i % stride] ?? 0) * (scales[Math.floor(i / stride)] ?? 0));
  expectRows(
    gpu,
    'rows',
    rowsOut,
    following,
    gpu.storage === 'f32' ? { relative: 1e-6 } : { relative: 6e-4, absolute: 1e-7 },
  );
  const squares = Float64Array.from(rowsOut.squares, (_, i) =>
    got.subarray(i * 8, i * 8 + 8).reduce((sum, value) => sum + value * value, 0),
  );
  expectClose(gpu, 'squares', rowsOut.squares, squares, { relative: 1e-6 });
  expectEqual(gpu, 'scales', rowsOut.scales, scales);
  // where no product follows, as at the end of a stage, and what its successor then makes of hidden
  const last = upload(gpu, before);
  await execute(gpu, residualProduct(gpu, { weight, x: x.buffer, batch, hidden: last, ...more }));
  expectEqual(gpu, 'hidden without a norm', await readFloats(gpu, last, batch * stride, 'f32'), got);
  const entered = poisonedRows(gpu, batch, rows);
  const entering = { input: last, weight: next.norm, output: entered, cols: rows, eps: EPS, batch };
  await execute(gpu, rmsNorm(gpu, { ...entering, form: 'entered' }));
  const again = await readRows(gpu, entered, batch, rows);
  expectEqual(gpu, 'squares of a stage that begins', again.squares, rowsOut.squares);
  if (gpu.storage === 'f32') {
    const unscaled = (each: Rows) => each.values.map((value, i) => value / (each.scales[Math.floor(i / stride)] ?? 0));
    expectEqual(gpu, 'rows of a stage that begins', unscaled(again), unscaled(rowsOut));
  }
}

interface Residual {
  readonly format: FormatName;
  readonly rows: number;
  readonly cols: number;
  readonly batch: VectorBatch;
  readonly bias?: boolean;
  readonly split?: number;
}

const residuals: readonly Residual[] = [
  { format: 'q4_0', rows: 64, cols: 96, batch: 1 },
  { format: 'q8_0', rows: 90, cols: 160, batch: 2, bias: true },
  { format: 'q4_k', rows: 200, cols: 256, batch: 4, split: 64, bias: true },
  { format: 'q6_k', rows: 33, cols: 512, batch: 4 },
  { format: 'f16', rows: 45, cols: 100, batch: 1, bias: true },
  { format: 'f32', rows: 70, cols: 172, batch: 2 },
  { format: 'bf16', rows: 576, cols: 1536, batch: 1 },
];

// ---------- gate and up ----------

async function gates(gpu: Gpu, random: Random, { format, rows, cols, batch, bias = false, split }: Residual) {
  const pair = [1, 2].map(() => randomWeights(formatByName(format), rows, cols, random)) as [
    RandomWeights,
    RandomWeights,
  ];
  const partBytes = split && bytesOfRows(pair[0].format, 2 * split, cols);
  const weight = uploadJoined(gpu, pair, 'paired', 1, partBytes);
  if (split !== undefined) expectTrue(gpu, weight.parts.length > 1, `${rows} rows were not split at ${split}`);
  const { x, rms, divided } = unnormed(gpu, random, batch, cols);
  const added = bias ? random.floats(2 * rows) : undefined;
  const output = poisonedRows(gpu, batch, rows);
  const more = added === undefined ? {} : { bias: upload(gpu, added) };
  await execute(gpu, gatedProduct(gpu, { weight, x, batch, output, eps: EPS, ...more }));
  const expected = new Float64Array(batch * padded(rows));
  for (let b = 0; b < batch; b++) {
    for (let n = 0; n < rows; n++) {
      const gate = divided(pair[0], b, n) + (added?.[n] ?? 0);
      const up = divided(pair[1], b, n) + (added?.[rows + n] ?? 0);
      expected[b * padded(rows) + n] = (gate / (1 + Math.exp(-gate))) * up;
    }
  }
  const got = await readRows(gpu, output, batch, rows);
  expectRows(
    gpu,
    'silu(gate) * up',
    got,
    expected,
    gpu.storage === 'f32' ? { ofRms: 5e-5, relative: 5e-5 } : TOLERANCE.f16,
  );
  expectScales(gpu, got.scales, rms);
}

const gated: readonly Residual[] = [
  { format: 'q4_0', rows: 64, cols: 96, batch: 1 },
  { format: 'q8_0', rows: 88, cols: 160, batch: 2, bias: true },
  { format: 'q4_k', rows: 200, cols: 256, batch: 4, split: 64, bias: true },
  { format: 'q6_k', rows: 40, cols: 512, batch: 4 },
  { format: 'f16', rows: 48, cols: 100, batch: 1 },
  { format: 'q4_1', rows: 136, cols: 1056, batch: 2, split: 64 },
];

// ---------- queries, keys and values ----------

interface Qkv {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly rotaryDims: number;
  readonly pairing: RopePairing;
  readonly formats: Readonly<Record<QkvKind, FormatName>>;
  readonly cols: number;
  readonly batch: VectorBatch;
  readonly kv?: KvType;
  readonly headNorm?: boolean;
  readonly bias?: boolean;
  readonly split?: number;
}

const same = (format: FormatName) => ({ q: format, k: format, v: format }) as const;
const mixed = { q: 'q4_k', k: 'q4_k', v: 'q6_k' } as const;

const qkvs: readonly Qkv[] = [
  {
    heads: 4,
    kvHeads: 2,
    headSize: 32,
    rotaryDims: 32,
    pairing: 'adjacent',
    formats: { q: 'q8_0', k: 'f16', v: 'f16' },
    cols: 64,
    batch: 2,
    kv: 'q8',
  },
  { heads: 8, kvHeads: 4, headSize: 8, rotaryDims: 8, pairing: 'adjacent', formats: same('f32'), cols: 64, batch: 1 },
  {
    heads: 3,
    kvHeads: 1,
    headSize: 64,
    rotaryDims: 64,
    pairing: 'adjacent',
    formats: same('q8_0'),
    cols: 96,
    batch: 2,
  },
  {
    heads: 4,
    kvHeads: 2,
    headSize: 64,
    rotaryDims: 64,
    pairing: 'halves',
    formats: same('q4_0'),
    cols: 160,
    batch: 4,
    bias: true,
  },
  {
    heads: 4,
    kvHeads: 2,
    headSize: 128,
    rotaryDims: 128,
    pairing: 'halves',
    formats: mixed,
    cols: 256,
    batch: 2,
    headNorm: true,
  },
  {
    heads: 5,
    kvHeads: 1,
    headSize: 80,
    rotaryDims: 32,
    pairing: 'halves',
    formats: mixed,
    cols: 512,
    batch: 1,
    bias: true,
  },
  {
    heads: 3,
    kvHeads: 3,
    headSize: 96,
    rotaryDims: 24,
    pairing: 'adjacent',
    formats: same('q6_k'),
    cols: 256,
    batch: 4,
    headNorm: true,
  },
  {
    heads: 2,
    kvHeads: 1,
    headSize: 256,
    rotaryDims: 256,
    pairing: 'halves',
    formats: same('q4_1'),
    cols: 96,
    batch: 1,
    headNorm: true,
  },
  {
    heads: 6,
    kvHeads: 2,
    headSize: 40,
    rotaryDims: 22,
    pairing: 'adjacent',
    formats: same('f16'),
    cols: 72,
    batch: 2,
    bias: true,
  },
  {
    heads: 6,
    kvHeads: 2,
    headSize: 40,
    rotaryDims: 40,
    pairing: 'halves',
    formats: same('q8_0'),
    cols: 64,
    batch: 4,
    kv: 'q8',
  },
  {
    heads: 4,
    kvHeads: 4,
    headSize: 64,
    rotaryDims: 32,
    pairing: 'halves',
    formats: { q: 'q8_0', k: 'f16', v: 'q8_0' },
    cols: 64,
    batch: 2,
    kv: 'q8',
    bias: true,
  },
  {
    heads: 9,
    kvHeads: 3,
    headSize: 64,
    rotaryDims: 64,
    pairing: 'halves',
    formats: same('q4_k'),
    cols: 256,
    batch: 1,
    split: 128,
    bias: true,
  },
  {
    heads: 4,
    kvHeads: 2,
    headSize: 24,
    rotaryDims: 24,
    pairing: 'halves',
    formats: same('bf16'),
    cols: 50,
    batch: 4,
    headNorm: true,
    kv: 'q8',
    bias: true,
  },
];

async function turnsAndFiles(gpu: Gpu, random: Random, shape: Qkv): Promise<void> {
  const {
    heads,
    kvHeads,
    headSize,
    rotaryDims,
    pairing,
    formats,
    cols,
    batch,
    kv = 'storage',
    headNorm,
    split,
  } = shape;
  const counts = { q: heads, k: kvHeads, v: kvHeads };
  const kinds: readonly QkvKind[] = ['q', 'k', 'v'];
  const of = (kind: QkvKind) => randomWeights(formatByName(formats[kind]), counts[kind] * headSize, cols, random);
  const weights = { q: of('q'), k: of('k'), v: of('v') };
  const joined = [...new Set(Object.values(formats))].map((format) => {
    const own = kinds.filter((kind) => formats[kind] === format);
    const partBytes = split && bytesOfRows(formatByName(format), split, cols);
    return {
      tensor: uploadJoined(
        gpu,
        own.map((kind) => weights[kind]),
        'stacked',
        headSize,
        partBytes,
      ),
      kinds: own,
    };
  });
  if (split !== undefined)
    expectTrue(
      gpu,
      joined.some(({ tensor }) => tensor.parts.length > 1),
      'nothing was split',
    );
  const { x, rms, divided } = unnormed(gpu, random, batch, cols);
  const bias = shape.bias ? random.floats((heads + 2 * kvHeads) * headSize) : undefined;
  const [qNorm, kNorm] = [random.floats(headSize, 2), random.floats(headSize, 2)];
  const rows = [
    { slot: 1, position: 65 },
    { slot: 0, position: 127 },
    { slot: 1, position: 0 },
  ].slice(0, Math.max(1, batch - 1)); // of two rows and more the last is padding
  const pagesPerSlot = 2;
  const table = shuffledPages(random, 2 * pagesPerSlot);
  const frequencies = Float64Array.from({ length: rotaryDims / 2 }, (_, i) => 10_000 ** ((-2 * i) / rotaryDims));
  const kvShape = { kv, kvHeads, headSize, pagesPerSlot };
  const keys = upload(gpu, unwrittenKv(gpu, kvShape, table.length));
  const values = upload(gpu, unwrittenKv(gpu, kvShape, table.length));
  const q = poisonedRows(gpu, batch, heads * headSize);
  const dispatches = qkvProduct(gpu, {
    ...kvShape,
    weights: joined,
    x,
    q,
    ...(bias && { bias: upload(gpu, bias) }),
    ...(headNorm ? { qNorm: upload(gpu, qNorm), kNorm: upload(gpu, kNorm) } : {}),
    rope: upload(gpu, turns(frequencies, pagesPerSlot * PAGE_POSITIONS)),
    step: uploadStep(gpu, rows, batch),
    pages: upload(gpu, table),
    ...{ keys, values, heads, rotaryDims, pairing, eps: EPS, batch },
  });
  await execute(gpu, dispatches);

  const headOf = (kind: QkvKind, b: number, head: number) => {
    const start = (kind === 'q' ? 0 : kind === 'k' ? heads : heads + kvHeads) * headSize;
    return Float64Array.from({ length: headSize }, (_, d) => {
      const n = head * headSize + d;
      return divided(weights[kind], b, n) + (bias?.[start + n] ?? 0);
    });
  };
  const turned = (kind: 'q' | 'k', b: number, head: number, position: number) => {
    const own = headOf(kind, b, head);
    const normed = headNorm ? normalize(own, kind === 'q' ? qNorm : kNorm, EPS) : own;
    return rotate(normed, frequencies, position, pairing);
  };
  const count = table.length * kvHeads * PAGE_POSITIONS * headSize;
  const expectedQ: number[] = [];
  const expectedKeys = new Float64Array(count).fill(Number.NaN);
  const expectedValues = new Float64Array(count).fill(Number.NaN);
  rows.forEach(({ slot, position }, b) => {
    for (let head = 0; head < heads; head++) expectedQ.push(...turned('q', b, head, position));
    for (let head = 0; head < kvHeads; head++) {
      const place = placeOf(table, kvShape, slot, position, head);
      expectedKeys.set(turned('k', b, head, position), place);
      expectedValues.set(headOf('v', b, head), place);
    }
  });
  const tolerance = TOLERANCE[gpu.storage];
  const got = await readRows(gpu, q, batch, heads * headSize);
  const queries = rows.flatMap((_, b) => {
    const at = b * padded(heads * headSize);
    return [...got.values.subarray(at, at + heads * headSize)];
  });
  expectClose(gpu, 'queries', queries, expectedQ, tolerance);
  expectScales(gpu, got.scales, rms);
  for (const [what, buffer, expected] of [
    ['keys', keys, expectedKeys],
    ['values', values, expectedValues],
  ] as const) {
    const actual = await readKv(gpu, kvShape, what, buffer, table.length);
    const written = [...expected.keys()].filter((i) => !Number.isNaN(expected[i]));
    const from = (array: ArrayLike<number>) => written.map((i) => array[i] ?? 0);
    if (kv === 'storage') expectClose(gpu, what, from(actual), from(expected), tolerance);
    else expectQuantized(gpu, what, from(actual), from(expected), headSize);
    const untouched = actual.reduce((sum, y) => sum + (Number.isNaN(y) ? 1 : 0), 0);
    expectTrue(gpu, untouched === count - written.length, `${what}: more was written than the rows say`);
  }
}

const named = ({ format, rows, cols, batch }: Residual) => `${format} ${rows} x ${cols}, batch ${batch}`;

export const cases: readonly KernelCase[] = [
  ...residuals.map(
    (shape): KernelCase => ({
      name: `product onto the residual, and the next norm's rows: ${named(shape)}`,
      run: (gpu, random) => addsToHidden(gpu, random, shape),
    }),
  ),
  ...gated.map(
    (shape): KernelCase => ({
      name: `gate and up with SiLU of rows that are not divided yet: ${named(shape)}`,
      run: (gpu, random) => gates(gpu, random, shape),
    }),
  ),
  ...qkvs.map(
    (shape): KernelCase => ({
      name:
        `queries, keys and values in one, ${shape.heads} and ${shape.kvHeads} heads of ${shape.headSize}, ` +
        `${shape.rotaryDims} ${shape.pairing}${shape.headNorm ? ', norm a head' : ''}${shape.kv === 'q8' ? ', in 8 bits' : ''}`,
      run: (gpu, random) => turnsAndFiles(gpu, random, shape),
    }),
  ),
];
