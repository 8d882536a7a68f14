import { type AttentionShape, attention, attentionScratchBytes } from '../../../worker/gpu/attention.ts';
import type { Gpu } from '../../../worker/gpu/device.ts';
import type { KvShape, KvType } from '../../../worker/gpu/kv.ts';
import { padded } from '../../../worker/gpu/step.ts';
import { execute, expectClose, expectEqual, type KernelCase, poisoned, Random, type Tolerance } from '../harness.ts';
import { attend, type PagedKv, pagedKv } from '../kv.ts';
import { expectRows, poisonedRows, readRows, uploadRows } from '../rows.ts';
import { uploadStep } from '../step.ts';

/** f32: sums of some hundred products and exponentials; f16: the rounding of the output. */
const TOLERANCE = { f32: { ofRms: 5e-6, relative: 5e-6 }, f16: { ofRms: 3e-5, relative: 6e-4 } } as const;

/** Of bytes: 128 (and 1024 of halves) is left in until sums are complete. */
const BYTES_OF_RMS = { f32: 2e-5, f16: 2e-4 } as const;

/** Of tiles in f16, which hold the weights of positions, and what bytes stand for, as halves (2^-11). */
const HALVES_IN_TILES = { ofRms: 2e-3, relative: 1e-3 } as const;

interface Row {
  readonly slot: number;
  readonly position: number;
}

const consecutive = (slot: number, first: number, count: number): readonly Row[] =>
  Array.from({ length: count }, (_, i) => ({ slot, position: first + i }));

interface Shape {
  readonly what: string;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly pagesPerSlot: number;
  readonly kv?: KvType;
  /** Not in 8 bits as well. */
  readonly onlyStorage?: boolean;
  readonly window?: number;
  readonly rows: readonly Row[];
  readonly bucket: number;
}

const single: readonly Shape[] = [
  {
    what: 'first positions and the borders of pages',
    heads: 2,
    kvHeads: 1,
    headSize: 8,
    pagesPerSlot: 2,
    rows: [0, 63, 64, 127].map((position, slot) => ({ slot, position })),
    bucket: 4,
  },
  {
    what: 'groups of 7',
    heads: 14,
    kvHeads: 2,
    headSize: 64,
    pagesPerSlot: 3,
    rows: [{ slot: 0, position: 130 }],
    bucket: 1,
  },
  {
    what: 'groups of 9, more than a workgroup takes',
    heads: 18,
    kvHeads: 2,
    headSize: 32,
    pagesPerSlot: 2,
    rows: [{ slot: 0, position: 99 }],
    bucket: 1,
  },
  {
    what: 'rows of several sessions and padding',
    heads: 3,
    kvHeads: 1,
    headSize: 80,
    pagesPerSlot: 4,
    rows: [...consecutive(2, 5, 3), { slot: 0, position: 200 }, { slot: 1, position: 0 }, { slot: 0, position: 201 }],
    bucket: 8,
  },
  {
    what: 'heads of 128',
    heads: 4,
    kvHeads: 1,
    headSize: 128,
    pagesPerSlot: 2,
    rows: [{ slot: 0, position: 100 }],
    bucket: 1,
  },
  {
    what: 'heads of 256',
    heads: 8,
    kvHeads: 1,
    headSize: 256,
    pagesPerSlot: 2,
    rows: [{ slot: 0, position: 70 }],
    bucket: 1,
  },
  {
    what: 'heads of 96 in groups of 3',
    heads: 6,
    kvHeads: 2,
    headSize: 96,
    pagesPerSlot: 3,
    rows: [{ slot: 0, position: 129 }],
    bucket: 1,
  },
  {
    what: 'heads of 20, which fill no units',
    heads: 3,
    kvHeads: 3,
    headSize: 20,
    pagesPerSlot: 2,
    rows: [{ slot: 0, position: 65 }],
    bucket: 2,
  },
  {
    what: 'a long context in splits of two pages',
    heads: 2,
    kvHeads: 1,
    headSize: 16,
    pagesPerSlot: 48,
    rows: [
      { slot: 0, position: 2900 },
      { slot: 0, position: 600 },
    ],
    bucket: 2,
  },
  {
    what: 'a context so long that splits have four pages',
    heads: 4,
    kvHeads: 1,
    headSize: 8,
    pagesPerSlot: 140,
    rows: [{ slot: 0, position: 8901 }],
    bucket: 1,
  },
  {
    what: 'a window of 100',
    heads: 4,
    kvHeads: 2,
    headSize: 48,
    pagesPerSlot: 8,
    window: 100,
    rows: [20, 98, 99, 100, 101, 163, 164, 400, 511].map((position) => ({ slot: 0, position })),
    bucket: 16,
  },
];

const tiled: readonly Shape[] = [
  {
    what: 'a prompt from its start',
    onlyStorage: true,
    heads: 4,
    kvHeads: 2,
    headSize: 64,
    pagesPerSlot: 2,
    rows: consecutive(0, 0, 70),
    bucket: 128,
  },
  {
    what: 'a prompt that continues',
    heads: 3,
    kvHeads: 1,
    headSize: 80,
    pagesPerSlot: 4,
    rows: consecutive(1, 111, 37),
    bucket: 64,
  },
  {
    what: 'heads of 8, no row of padding',
    onlyStorage: true,
    heads: 8,
    kvHeads: 4,
    headSize: 8,
    pagesPerSlot: 2,
    rows: consecutive(0, 3, 33),
    bucket: 33,
  },
  {
    what: 'heads of 128',
    heads: 2,
    kvHeads: 1,
    headSize: 128,
    pagesPerSlot: 2,
    rows: consecutive(0, 60, 20),
    bucket: 32,
  },
  {
    what: 'heads of 256',
    onlyStorage: true,
    heads: 2,
    kvHeads: 2,
    headSize: 256,
    pagesPerSlot: 1,
    rows: consecutive(0, 0, 32),
    bucket: 32,
  },
  {
    what: 'rows of several sessions',
    heads: 4,
    kvHeads: 2,
    headSize: 36,
    pagesPerSlot: 3,
    rows: [
      ...consecutive(0, 100, 1),
      ...consecutive(1, 0, 13),
      ...consecutive(2, 150, 25),
      { slot: 0, position: 101 },
      ...consecutive(1, 40, 2),
    ],
    bucket: 64,
  },
  {
    what: 'a window of 50',
    heads: 2,
    kvHeads: 1,
    headSize: 24,
    pagesPerSlot: 5,
    window: 50,
    rows: [...consecutive(0, 20, 50), ...consecutive(1, 250, 14)],
    bucket: 64,
  },
];

export const cases: readonly KernelCase[] = [
  ...[...single, ...tiled]
    .flatMap((shape) => (shape.onlyStorage ? [shape] : [shape, { ...shape, kv: 'q8' } as const]))
    .map(
      (shape: Shape): KernelCase => ({
        name: `attention (${shape.bucket > 16 ? 'tiles' : 'single rows'}): ${shape.what}${shape.kv === 'q8' ? ', kept in 8 bits' : ''}`,
        async run(gpu, random) {
          const kv = pagedKv(gpu, random, kvShapeOf(shape), lengthsOf(shape.rows));
          const q = random.floats(shape.rows.length * shape.heads * shape.headSize, 2);
          const { written, rounded, scales } = await run(gpu, shape, kv, q);
          const expected = reference(shape, kv, rounded);
          if (shape.bucket > 16)
            return expectClose(gpu, 'attention', written.values, expected, toleranceOf(gpu, shape));
          expectRows(gpu, 'attention', written, expected, toleranceOf(gpu, shape));
          const copied = scales.map((scale) => (Number.isNaN(scale) ? 1 : scale)); // rows of padding: 1
          expectEqual(gpu, 'scales of the rows', written.scales, copied);
        },
      }),
    ),
  {
    name: 'attention of a row is the same to the bit in every batch of up to 16 rows',
    async run(gpu, random) {
      const shape = { heads: 14, kvHeads: 2, headSize: 64, pagesPerSlot: 3 };
      const rows = [{ slot: 1, position: 190 }, ...consecutive(0, 60, 9), { slot: 2, position: 7 }];
      const kv = pagedKv(gpu, random, kvShapeOf(shape), lengthsOf(rows));
      const columns = shape.heads * shape.headSize;
      const q = random.floats(rows.length * columns, 2);
      const together = await run(gpu, { ...shape, what: '', rows, bucket: 16 }, kv, q);
      for (const [i, row] of rows.entries()) {
        const alone = await run(
          gpu,
          { ...shape, what: '', rows: [row], bucket: 1 },
          kv,
          q.slice(i * columns, (i + 1) * columns),
        );
        expectEqual(gpu, `row ${i}`, alone.actual, together.actual.subarray(i * columns, (i + 1) * columns));
      }
    },
  },
  {
    name: 'attention picks one position out of many by a score that stands out',
    async run(gpu) {
      // scores of thousands: exponentials must neither overflow nor vanish
      const shape: Shape = {
        what: '',
        heads: 1,
        kvHeads: 1,
        headSize: 8,
        pagesPerSlot: 3,
        rows: [{ slot: 0, position: 150 }],
        bucket: 1,
      };
      const kv = pagedKv(gpu, new Random('one'), kvShapeOf(shape), [151]);
      for (const position of [0, 64, 149, 150]) {
        const at = kv.place(0, position, 0);
        const q = kv.keyValues.slice(at, at + 8).map((x) => x * 1000);
        const { actual, rounded } = await run(gpu, shape, kv, q);
        expectClose(gpu, `position ${position}`, actual, reference(shape, kv, rounded), {
          relative: 1e-3,
          ofRms: 1e-3,
        });
      }
    },
  },
];

function toleranceOf(gpu: Gpu, shape: Shape): Tolerance {
  const tolerance = TOLERANCE[gpu.storage];
  if (gpu.storage === 'f16' && shape.bucket > 16) return HALVES_IN_TILES;
  return shape.kv === 'q8' ? { ...tolerance, ofRms: BYTES_OF_RMS[gpu.storage] } : tolerance;
}

function lengthsOf(rows: readonly Row[]): number[] {
  const lengths: number[] = [];
  for (const { slot, position } of rows) lengths[slot] = Math.max(lengths[slot] ?? 0, position + 1);
  return Array.from(lengths, (length) => length ?? 1);
}

function kvShapeOf({
  kv = 'storage',
  kvHeads,
  headSize,
  pagesPerSlot,
}: Omit<Shape, 'what' | 'rows' | 'bucket'>): KvShape {
  return { kv, kvHeads, headSize, pagesPerSlot };
}

async function run(gpu: Gpu, shape: Shape, kv: PagedKv, q: Float32Array) {
  const { heads, headSize, rows, bucket } = shape;
  const columns = heads * headSize;
  const whole = new Float32Array(bucket * columns);
  whole.set(q);
  const scales = Float32Array.from({ length: bucket }, (_, row) => (row < rows.length ? 2 ** (row - 3) : Number.NaN));
  const queries = uploadRows(gpu, whole, columns, { scales });
  const output = poisonedRows(gpu, bucket, columns);
  const parameters: AttentionShape = { ...shape, ...kvShapeOf(shape), batch: bucket };
  const dispatches = attention(gpu, {
    ...parameters,
    q: queries.buffer,
    keys: kv.keys,
    values: kv.values,
    pages: kv.pages,
    step: uploadStep(gpu, rows, bucket),
    output,
    scale: 1 / Math.sqrt(headSize),
    scratch: poisoned(gpu, Math.max(4, attentionScratchBytes(parameters) / 4), 'f32'),
  });
  await execute(gpu, dispatches);
  const written = await readRows(gpu, output, bucket, columns);
  return { actual: written.values, written, rounded: queries.values, scales };
}

/** In float64, rows a stride apart; columns and rows of padding are zero. */
function reference(shape: Shape, kv: PagedKv, q: Float32Array): Float64Array {
  const { heads, kvHeads, headSize, window, rows, bucket } = shape;
  const stride = padded(heads * headSize);
  const out = new Float64Array(bucket * stride);
  rows.forEach(({ slot, position }, row) => {
    const first = window === undefined ? 0 : Math.max(0, position - window + 1);
    for (let head = 0; head < heads; head++) {
      const at = row * stride + head * headSize;
      const kvHead = Math.floor(head / (heads / kvHeads));
      const from = { slot, kvHead, first, last: position };
      out.set(attend(kv, q.subarray(at, at + headSize), from, 1 / Math.sqrt(headSize)), at);
    }
  });
  return out;
}
