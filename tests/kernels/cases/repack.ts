import type { Gpu } from '../../../worker/gpu/device.ts';
import { stagingBytes } from '../../../worker/gpu/repack.ts';
import type { JoinedSpec, StageTensor } from '../../../worker/models/spec.ts';
import { weightBytes, weightLayout } from '../../../worker/models/weight-layout.ts';
import { allocateWeights, WeightLoader } from '../../../worker/models/weights.ts';
import { FORMATS, fileBytes, formatByName } from '../../../worker/weights/formats/index.ts';
import type { FormatName, Plane, TensorInfo, WeightFormat } from '../../../worker/weights/types.ts';
import { repack } from '../../reference/repack.ts';
import { expectEqual, expectTrue, type KernelCase, type Random, readFloats, readWords } from '../harness.ts';
import { bytesOfRows } from '../weights.ts';

const { STORAGE, COPY_DST } = { STORAGE: 0x80, COPY_DST: 0x8 };

interface Matrix {
  readonly format: WeightFormat;
  readonly rows: number;
  readonly cols: number;
  /** Bytes that no tensor needs, before it. */
  readonly gap?: number;
  readonly joined?: JoinedSpec;
}

interface Loading {
  readonly matrices: readonly Matrix[];
  readonly ringBytes: number;
  /** Bytes that come at once. */
  readonly cut: () => number;
  readonly partBytes?: number;
  /** Not every tensor is too large for a part. */
  readonly some?: boolean;
}

/** A file of matrices, each before a vector, goes through a loader; every plane and vector is compared bit by bit. */
async function loadsExactly(
  gpu: Gpu,
  random: Random,
  { matrices, ringBytes, cut, partBytes, some }: Loading,
): Promise<void> {
  const tensors = new Map<string, TensorInfo>();
  const wanted: StageTensor[] = [];
  const add = (name: string, kind: StageTensor['kind'], offset: number, matrix: Matrix) => {
    const { format, rows, cols, joined } = matrix;
    const bytes = fileBytes(format, rows, cols);
    tensors.set(name, { name, rows, cols, shape: [cols, rows], format: format.name, offset, bytes });
    wanted.push({ name, kind, rows, cols, layer: undefined, optional: false, ...(joined && { joined }) });
    return offset + bytes;
  };
  let end = 0;
  for (const [i, matrix] of matrices.entries()) {
    const cols = matrix.joined === undefined ? 3 + i : matrix.rows;
    const vector = { format: formatByName('f32'), rows: 1, cols, ...(matrix.joined && { joined: matrix.joined }) };
    end = add(`vector ${i}`, 'vector', end + (matrix.gap ?? 0), vector);
    end = add(`matrix ${i}`, 'matrix', end, matrix);
  }
  const file = random.bytes(end);
  for (let i = 0; i < matrices.length; i++) {
    const vector = tensors.get(`vector ${i}`) as TensorInfo;
    file.set(new Uint8Array(random.floats(vector.cols).buffer), vector.offset);
  }

  const limits = { ...gpu.limits, maxBindingBytes: partBytes ?? gpu.limits.maxBindingBytes };
  const narrow: Gpu = Object.create(gpu, { limits: { value: limits } });
  const layout = weightLayout(wanted, tensors);
  const before = gpu.ledger.takenBytes;
  const weights = allocateWeights(narrow, wanted, tensors);
  const taken = gpu.ledger.takenBytes - before;
  expectTrue(gpu, taken === weightBytes(layout), `${taken} bytes were taken, ${weightBytes(layout)} planned`);
  for (const { parts } of weights.matrices.values()) {
    for (const buffer of parts.flatMap(({ planes }) => planes)) {
      gpu.device.queue.writeBuffer(buffer, 0, new Uint8Array(buffer.size).fill(0xff));
    }
  }
  const staging = gpu.ledger.buffer('staging', stagingBytes(ringBytes), 'scratch', STORAGE | COPY_DST);
  const loader = new WeightLoader({ gpu, weights, wanted, tensors, ropeFactors: undefined, staging, ringBytes });
  for (let at = 0; at < end; ) {
    const to = Math.min(end, at + cut());
    const bytes = file.slice(at, to);
    await loader.take(at, bytes);
    bytes.fill(0); // a view that was kept would be seen
    at = to;
  }
  loader.finish();

  for (const [i, { format, rows, cols }] of matrices.entries()) {
    const { offset, bytes } = tensors.get(`matrix ${i}`) as TensorInfo;
    const planes = repack(format, file.subarray(offset, offset + bytes), rows, cols);
    const tensor = weights.matrices.get(`matrix ${i}`);
    if (partBytes !== undefined && some !== true)
      expectTrue(gpu, (tensor?.parts.length ?? 0) > 1, `${rows} rows were not split`);
    for (const part of tensor?.parts ?? []) {
      for (const [plane, buffer] of part.planes.entries()) {
        const { rowBytes, rowsTogether = 1 } = format.planes[plane] as Plane;
        const stride = rowBytes(cols) / 4;
        const words = new Uint32Array((planes[plane] as Uint8Array<ArrayBuffer>).buffer);
        const expected = rowsOf(words, part.rowStart, part.rows, stride, rowsTogether);
        const what = `${format.planes[plane]?.name} of ${format.name}, ${rows} x ${cols}, from row ${part.rowStart}`;
        const lie = await readWords(gpu, buffer, buffer.size / 4);
        expectEqual(gpu, what, rowsOf(lie, part.planeRow, part.rows, stride, rowsTogether), expected);
      }
    }
    const vector = tensors.get(`vector ${i}`) as TensorInfo;
    const values = new Float32Array(file.slice(vector.offset, vector.offset + vector.bytes).buffer);
    const buffer = weights.vectors.get(`vector ${i}`) as GPUBuffer;
    const start = layout.vectors.flatMap(({ members }) => members).find(({ name }) => name === vector.name)?.start ?? 0;
    const lie = await readFloats(gpu, buffer, start + vector.cols, 'f32');
    expectEqual(gpu, `vector ${i}`, lie.subarray(start), values);
  }
}

/** Rows of a plane one after another, however many lie side by side in it. */
function rowsOf(words: Uint32Array, first: number, rows: number, stride: number, together: number): Uint32Array {
  return Uint32Array.from({ length: rows * stride }, (_, i) => {
    const row = first + Math.floor(i / stride);
    return words[(row - (row % together)) * stride + (i % stride) * together + (row % together)] ?? 0;
  });
}

/** Columns with and without a scale left over, and of floats also odd ones. */
function columns(format: WeightFormat, random: Random): number {
  if (format.blockWeights > 1) return random.integer(1, 5) * format.blockWeights;
  return random.pick([1, 31, 32, 33, 172, random.integer(1, 200)]);
}

const words = (random: Random, most: number) => () => 4 * random.integer(1, most / 4);

export const cases: readonly KernelCase[] = [
  ...FORMATS.flatMap((format): KernelCase[] => [
    {
      name: `${format.name} rows are repacked to the bit, at any address, wherever the file is cut`,
      async run(gpu, random) {
        for (const gap of [0, 1, 2, 3, 22]) {
          const matrices = [1, 2, 3].map((n) => ({
            format,
            rows: random.integer(1, 9 * n),
            cols: columns(format, random),
            gap,
          }));
          await loadsExactly(gpu, random, { matrices, ringBytes: 8192, cut: words(random, 9000) });
          gpu.ledger.freeAll();
        }
      },
    },
    {
      name: `${format.name} tensors that are joined are repacked to the bit, each where it lies among the others`,
      async run(gpu, random) {
        const cols = columns(format, random);
        const other = FORMATS.find((each) => each !== format && cols % each.blockWeights === 0) ?? format;
        const heads = { name: 'qkv', joining: 'stacked', together: 24 } as const;
        const pair = { name: 'gate up', joining: 'paired', together: 1 } as const;
        const rows = 8 * random.integer(9, 25);
        const matrices: Matrix[] = [
          { format, rows: 24 * 9, cols, joined: heads },
          { format, rows: 24 * 2, cols, joined: heads },
          { format: other, rows: 24 * 2, cols, joined: heads },
          { format, rows, cols, joined: pair },
          { format, rows, cols, joined: pair, gap: 12 },
        ];
        const loading = { matrices, ringBytes: 16384, cut: words(random, 20_000) };
        await loadsExactly(gpu, random, loading);
        const partBytes = Math.max(bytesOfRows(format, 128, cols), bytesOfRows(other, 128, cols));
        await loadsExactly(gpu, random, { ...loading, partBytes, some: true });
      },
    },
    {
      name: `${format.name} rows of a tensor in parts are repacked to the bit`,
      async run(gpu, random) {
        const cols = columns(format, random);
        const matrices = [{ format, rows: random.integer(129, 300), cols }];
        const partBytes = bytesOfRows(format, 64, cols);
        await loadsExactly(gpu, random, { matrices, ringBytes: 16384, cut: words(random, 20_000), partBytes });
      },
    },
  ]),
  {
    name: 'small tensors of every format, more than one submit takes, come in one piece',
    async run(gpu, random) {
      const matrices = Array.from({ length: 70 }, (_, i) => {
        const format = formatByName((FORMATS[i % FORMATS.length] as WeightFormat).name as FormatName);
        return { format, rows: random.integer(1, 3), cols: columns(format, random) };
      });
      await loadsExactly(gpu, random, { matrices, ringBytes: 2 ** 22, cut: () => 2 ** 22 });
    },
  },
  {
    name: 'rows that are longer than what comes at once, and bytes between tensors that nobody wants',
    async run(gpu, random) {
      const matrices = ['q8_0', 'f32', 'q6_k', 'q4_0'].map((name) => ({
        format: formatByName(name as FormatName),
        rows: 5,
        cols: 768,
        gap: 5000,
      }));
      await loadsExactly(gpu, random, { matrices, ringBytes: 8192, cut: words(random, 300) });
    },
  },
];
