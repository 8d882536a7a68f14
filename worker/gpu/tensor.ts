import { InternalError } from '../errors.ts';
import type { GpuLimits } from './device.ts';
import type { Ledger } from './ledger.ts';

/** What the GPU needs to know of a tensor format: its planes, and the snippet that reads them. */
export interface TensorFormat {
  readonly name: string;
  /** Path of the shader snippet, which binds the planes from binding 0 on and declares `load_eight`. */
  readonly snippet: string;
  /** Path of the kernel that fills the planes from the file's blocks; it binds them from binding 2 on. */
  readonly repack: string;
  /** Weights and bytes of one block in the file. */
  readonly blockWeights: number;
  readonly blockBytes: number;
  /** `bits` a weight; the plane named `scales` has scales and minima, the others the weights' own bits. */
  readonly planes: readonly TensorPlane[];
}

export interface TensorPlane {
  readonly name: string;
  readonly bits: number;
  rowBytes(cols: number): number;
  /** Rows that lie side by side, so that there is a multiple of so many; 1 where it is not given. */
  readonly rowsTogether?: number;
}

/** Rows [rowStart, rowStart + rows) of a tensor: a buffer for each plane of its format. */
export interface TensorPart {
  readonly rowStart: number;
  readonly rows: number;
  readonly planes: readonly GPUBuffer[];
  /** The row of the planes that they begin at: not 0 where the planes hold rows of other tensors, too. */
  readonly planeRow: number;
}

/** A weight matrix on the GPU. It has one part, or several where one binding or one grid would be too small for it. */
export interface GpuTensor {
  readonly format: TensorFormat;
  readonly rows: number;
  readonly cols: number;
  readonly parts: readonly TensorPart[];
  /** Where its bias begins in the vector that holds it, if not at 0. */
  readonly biasStart?: number;
}

/**
 * Tensors of one format whose rows lie in the same buffers, so that one kernel multiplies by all of them: `stacked` one
 * after another, `paired` in each part so many rows of one, then the same rows of the other.
 */
export type Joining = 'stacked' | 'paired';

/** All rows as one tensor, and each of the tensors as a view of it. */
export interface JoinedTensor extends GpuTensor {
  readonly members: readonly GpuTensor[];
}

/** What tensors are allocated on. */
export interface TensorMemory {
  readonly ledger: Pick<Ledger, 'buffer' | 'free'>;
  readonly limits: GpuLimits;
}

/** Parts start at multiples of this many rows, so that no vector or tile of outputs crosses two of them. */
const PART_ROWS = 64;
/** Of stacked tensors they start at multiples of this many. */
const UNIT_ROWS = 32;
/** The least rows that a workgroup of any kernel takes: with this many no grid gets too large. */
const ROWS_PER_WORKGROUP = 4;

/** GPUBufferUsage, whose global object is absent in some test environments. */
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const STORAGE = 0x80;

/**
 * Zeroed buffers for a tensor of `rows` x `cols` weights.
 * @param grain parts start at multiples of this many rows
 * @throws MemoryError when the budget would be passed; nothing is kept then
 */
export function allocateTensor(
  gpu: TensorMemory,
  label: string,
  format: TensorFormat,
  rows: number,
  cols: number,
  grain = PART_ROWS,
): GpuTensor {
  const parts: TensorPart[] = [];
  const tensor: GpuTensor = { format, rows, cols, parts };
  const most = rowsPerPart(gpu, label, format, cols, grain);
  try {
    for (let rowStart = 0; rowStart < rows; rowStart += most) {
      const partRows = Math.min(most, rows - rowStart);
      const planes: GPUBuffer[] = [];
      parts.push({ rowStart, rows: partRows, planes, planeRow: 0 });
      for (const plane of format.planes) {
        const { rowsTogether = 1 } = plane;
        const bytes = Math.ceil(partRows / rowsTogether) * rowsTogether * plane.rowBytes(cols);
        planes.push(gpu.ledger.buffer(`${label} ${plane.name}`, bytes, 'weights', STORAGE | COPY_DST | COPY_SRC));
      }
    }
  } catch (error) {
    freeTensor(gpu, tensor);
    throw error;
  }
  return tensor;
}

/** Most rows of a part on this device. */
function rowsPerPart(
  gpu: Pick<TensorMemory, 'limits'>,
  label: string,
  format: TensorFormat,
  cols: number,
  grain: number,
): number {
  const { maxBindingBytes, workgroupsPerDimension } = gpu.limits;
  const widest = Math.max(...format.planes.map((plane) => plane.rowBytes(cols)));
  const most = Math.min(Math.floor(maxBindingBytes / widest), workgroupsPerDimension * ROWS_PER_WORKGROUP);
  if (most < grain) {
    throw new InternalError(
      `${grain} rows of ${label} take ${widest * grain} bytes; one binding of this GPU holds ${maxBindingBytes}.`,
    );
  }
  return most - (most % grain);
}

/**
 * Zeroed buffers for several tensors of one format and as many columns.
 * @param together rows of each that stay in one part
 * @throws MemoryError when the budget would be passed; nothing is kept then
 */
export function allocateJoined(
  gpu: TensorMemory,
  label: string,
  format: TensorFormat,
  memberRows: readonly number[],
  cols: number,
  joining: Joining,
  together: number,
): JoinedTensor {
  const rows = memberRows.reduce((sum, count) => sum + count, 0);
  const count = memberRows.length;
  if (joining === 'paired' && memberRows.some((each) => each !== memberRows[0])) {
    throw new InternalError(`${label} is to be paired, but its tensors have ${memberRows.join(' and ')} rows.`);
  }
  const grain = leastCommonMultiple(together, joining === 'stacked' ? UNIT_ROWS : PART_ROWS);
  const whole = allocateTensor(gpu, label, format, rows, cols, joining === 'stacked' ? grain : grain * count);
  let start = 0;
  const members = memberRows.map((memberRow, i): GpuTensor => {
    const first = start;
    start += memberRow;
    const parts = joining === 'stacked' ? stackedView(whole, first, memberRow) : pairedView(whole, i, count);
    return { format, rows: memberRow, cols, parts };
  });
  return { ...whole, members };
}

/** Rows [first, first + rows) of a tensor as one of their own. */
function stackedView({ parts }: GpuTensor, first: number, rows: number): TensorPart[] {
  return parts.flatMap(({ rowStart, rows: partRows, planes }) => {
    const from = Math.max(rowStart, first);
    const to = Math.min(rowStart + partRows, first + rows);
    return from < to ? [{ rowStart: from - first, rows: to - from, planes, planeRow: from - rowStart }] : [];
  });
}

function pairedView({ parts }: GpuTensor, index: number, count: number): TensorPart[] {
  return parts.map(({ rowStart, rows, planes }) => {
    const each = rows / count;
    return { rowStart: rowStart / count, rows: each, planes, planeRow: index * each };
  });
}

function leastCommonMultiple(a: number, b: number): number {
  let [large, small] = [a, b];
  while (small > 0) [large, small] = [small, large % small];
  return (a / large) * b;
}

export function freeTensor(gpu: Pick<TensorMemory, 'ledger'>, tensor: GpuTensor): void {
  for (const part of tensor.parts) for (const buffer of part.planes) gpu.ledger.free(buffer);
}
