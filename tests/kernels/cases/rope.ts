import type { KvType } from '../../../worker/gpu/kv.ts';
import { type RopePairing, ropeKv } from '../../../worker/gpu/rope.ts';
import { PAGE_POSITIONS, padded } from '../../../worker/gpu/step.ts';
import { execute, expectClose, expectTrue, type KernelCase, spread, upload, uploadStorage } from '../harness.ts';
import { placeOf, readKv, shuffledPages, unwrittenKv } from '../kv.ts';
import { expectQuantized, normalize, rotate, turns } from '../rotation.ts';
import { readRows, uploadRows } from '../rows.ts';
import { uploadStep } from '../step.ts';

/** f32: a norm and four products; f16: the rounding of the output. */
const TOLERANCE = { f32: { relative: 2e-6, absolute: 2e-6 }, f16: { relative: 6e-4, absolute: 2e-6 } } as const;

interface Shape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly rotaryDims: number;
  readonly pairing: RopePairing;
  readonly headNorm: boolean;
}

const shapes: readonly Shape[] = [
  { heads: 8, kvHeads: 4, headSize: 8, rotaryDims: 8, pairing: 'adjacent', headNorm: false },
  { heads: 3, kvHeads: 1, headSize: 64, rotaryDims: 64, pairing: 'adjacent', headNorm: false },
  { heads: 4, kvHeads: 2, headSize: 128, rotaryDims: 128, pairing: 'halves', headNorm: true },
  { heads: 5, kvHeads: 1, headSize: 80, rotaryDims: 32, pairing: 'halves', headNorm: false },
  { heads: 3, kvHeads: 3, headSize: 96, rotaryDims: 24, pairing: 'adjacent', headNorm: true },
  { heads: 2, kvHeads: 1, headSize: 256, rotaryDims: 256, pairing: 'halves', headNorm: true },
  { heads: 2, kvHeads: 2, headSize: 20, rotaryDims: 2, pairing: 'halves', headNorm: false },
];

const EPS = 1e-3;

export const cases: readonly KernelCase[] = (['storage', 'q8'] as const).flatMap((kv) =>
  shapes.map((shape) => ropeCase(shape, kv)),
);

function ropeCase(shape: Shape, kv: KvType): KernelCase {
  const { rotaryDims, headSize, pairing, headNorm } = shape;
  const name = `rope of ${rotaryDims} of ${headSize} dimensions, ${pairing}${headNorm ? ', norm a head' : ''}`;
  return {
    name: kv === 'q8' ? `${name}, kept in 8 bits` : name,
    async run(gpu, random) {
      const { heads, kvHeads } = shape;
      const rows = [
        { slot: 1, position: 0 },
        { slot: 1, position: 1 },
        { slot: 0, position: 127 },
        { slot: 0, position: 64 },
        { slot: 2, position: 63 },
      ];
      const batch = 8; // three rows of padding
      const pagesPerSlot = 2;
      const table = shuffledPages(random, 3 * pagesPerSlot);
      const frequencies = Float64Array.from({ length: rotaryDims / 2 }, (_, i) => 10_000 ** ((-2 * i) / rotaryDims));
      const [qCols, kvCols] = [heads * headSize, kvHeads * headSize];
      const q = uploadRows(gpu, random.floats(batch * qCols), qCols);
      const k = uploadStorage(gpu, spread(random.floats(batch * kvCols), kvCols, padded(kvCols)));
      const v = uploadStorage(gpu, spread(random.floats(batch * kvCols), kvCols, padded(kvCols)));
      const qNorm = random.floats(headSize, 2);
      const kNorm = random.floats(headSize, 2);
      const count = table.length * kvHeads * PAGE_POSITIONS * headSize;
      const kvShape = { kv, kvHeads, headSize, pagesPerSlot };
      const keys = upload(gpu, unwrittenKv(gpu, kvShape, table.length));
      const values = upload(gpu, unwrittenKv(gpu, kvShape, table.length));
      const dispatches = ropeKv(gpu, {
        q: q.buffer,
        k: k.buffer,
        v: v.buffer,
        ...(headNorm ? { qNorm: upload(gpu, qNorm), kNorm: upload(gpu, kNorm) } : {}),
        rope: upload(gpu, turns(frequencies, pagesPerSlot * PAGE_POSITIONS)),
        step: uploadStep(gpu, rows, batch),
        pages: upload(gpu, table),
        keys,
        values,
        ...kvShape,
        heads,
        rotaryDims,
        pairing,
        eps: EPS,
        batch,
      });
      await execute(gpu, dispatches);

      const turned = (from: Float32Array, norm: Float32Array, position: number) =>
        rotate(headNorm ? normalize(from, norm, EPS) : Float64Array.from(from), frequencies, position, pairing);
      const expectedQ = Float64Array.from(q.values);
      const expectedKeys = new Float64Array(count).fill(Number.NaN);
      const expectedValues = new Float64Array(count).fill(Number.NaN);
      rows.forEach(({ slot, position }, row) => {
        for (let head = 0; head < heads; head++) {
          const at = row * padded(qCols) + head * headSize;
          expectedQ.set(turned(q.values.subarray(at, at + headSize), qNorm, position), at);
        }
        for (let head = 0; head < kvHeads; head++) {
          const at = row * padded(kvCols) + head * headSize;
          const place = placeOf(table, kvShape, slot, position, head);
          expectedKeys.set(turned(k.values.subarray(at, at + headSize), kNorm, position), place);
          expectedValues.set(v.values.subarray(at, at + headSize), place);
        }
      });
      const tolerance = TOLERANCE[gpu.storage];
      const { values: queries } = await readRows(gpu, q.buffer, batch, qCols);
      expectClose(gpu, 'queries', queries, expectedQ, tolerance);
      for (const [what, buffer, expected, exact] of [
        ['keys', keys, expectedKeys, false],
        ['values', values, expectedValues, true],
      ] as const) {
        const actual = await readKv(gpu, kvShape, what, buffer, table.length);
        const written = [...expected.keys()].filter((i) => !Number.isNaN(expected[i]));
        const from = (array: ArrayLike<number>) => written.map((i) => array[i] ?? 0);
        if (kv === 'storage') expectClose(gpu, what, from(actual), from(expected), exact ? {} : tolerance);
        else expectQuantized(gpu, what, from(actual), from(expected), headSize);
        const untouched = actual.reduce((sum, x) => sum + (Number.isNaN(x) ? 1 : 0), 0);
        expectTrue(gpu, untouched === count - written.length, `${what}: more was written than the rows say`);
      }
    },
  };
}
