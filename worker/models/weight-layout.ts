import { formatByName, planeBytes } from '../weights/formats/index.ts';
import type { FormatName, TensorInfo, WeightFormat } from '../weights/types.ts';
import type { JoinedSpec, StageTensor } from './spec.ts';

/** Tensors that lie in the same buffers, in order: one, or several of one format. */
export interface MatrixLayout {
  readonly format: WeightFormat;
  readonly cols: number;
  readonly joined: JoinedSpec | undefined;
  readonly members: readonly { readonly name: string; readonly rows: number; readonly biasStart: number }[];
}

/** Vectors that lie in one buffer, f32; where an optional one is missing, zeros. */
export interface VectorLayout {
  readonly cols: number;
  readonly members: readonly { readonly name: string; readonly start: number }[];
}

export interface WeightLayout {
  readonly matrices: readonly MatrixLayout[];
  readonly vectors: readonly VectorLayout[];
}

/** Kernels may load so many rows of a tensor together; a tensor that begins elsewhere among others would be cut. */
const ROWS_TOGETHER = 8;

type Formats = ReadonlyMap<string, Pick<TensorInfo, 'format'>>;

/**
 * What of a stage's tensors goes into which buffers. Tensors that are to be joined are, as far as they have one format;
 * their biases always, in the order of the tensors.
 */
export function weightLayout(wanted: readonly StageTensor[], tensors: Formats): WeightLayout {
  const matrices: MatrixLayout[] = [];
  const vectors: VectorLayout[] = [];
  for (const group of groups(wanted)) {
    const [first] = group;
    if (first === undefined) continue;
    const starts = startsOf(group);
    const present = group.flatMap((tensor, i) => {
      const info = tensors.get(tensor.name);
      return info === undefined ? [] : [{ ...tensor, format: info.format, start: starts[i] ?? 0 }];
    });
    if (first.kind === 'vector') {
      const cols = group.reduce((sum, tensor) => sum + tensor.cols, 0);
      const members = present.map(({ name, start }) => ({ name, start }));
      if (members.length > 0) vectors.push({ cols, members });
      continue;
    }
    const joined = present.every(({ rows }) => rows % ROWS_TOGETHER === 0) ? first.joined : undefined;
    const members = present.map(({ name, rows, start, format }) => ({
      format,
      member: { name, rows, biasStart: start },
    }));
    const kinds = joined === undefined ? members.map((each) => [each]) : byFormat(members);
    for (const kind of kinds) {
      const format = formatByName(kind[0]?.format ?? 'f32');
      matrices.push({ format, cols: first.cols, joined, members: kind.map(({ member }) => member) });
    }
  }
  return { matrices, vectors };
}

/** What they take on the GPU, bytes. */
export function weightBytes({ matrices, vectors }: WeightLayout): number {
  let bytes = 0;
  for (const { format, cols, members } of matrices) {
    const rows = members.reduce((sum, member) => sum + member.rows, 0);
    for (const plane of planeBytes(format, rows, cols)) bytes += bufferBytes(plane);
  }
  for (const { cols } of vectors) bytes += bufferBytes(cols * 4);
  return bytes;
}

/** What a buffer of so many bytes takes, as worker/gpu/ledger.ts makes it. */
export function bufferBytes(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}

function byFormat<T extends { readonly format: FormatName }>(members: readonly T[]): T[][] {
  const formats = [...new Set(members.map(({ format }) => format))];
  return formats.map((format) => members.filter((member) => member.format === format));
}

/** Each tensor by itself, or with those of its kind that it is joined with. */
function groups(wanted: readonly StageTensor[]): StageTensor[][] {
  const byName = new Map<string, StageTensor[]>();
  for (const tensor of wanted) {
    const key = tensor.joined === undefined ? tensor.name : `${tensor.joined.name} ${tensor.kind}`;
    const group = byName.get(key);
    if (group === undefined) byName.set(key, [tensor]);
    else group.push(tensor);
  }
  return [...byName.values()];
}

/** Where each begins when all lie one after another: rows of matrices, entries of vectors. */
function startsOf(group: readonly StageTensor[]): number[] {
  let next = 0;
  return group.map(({ kind, rows, cols }) => {
    const start = next;
    next += kind === 'matrix' ? rows : cols;
    return start;
  });
}
