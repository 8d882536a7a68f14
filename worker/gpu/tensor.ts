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
  readonly planes: readonly { readonly name: string; readonly bits: number; rowBytes(cols: number): number }[];
}

/** Rows [rowStart, rowStart + rows) of a tensor: a buffer for each plane of its format. */
export interface TensorPart {
  readonly rowStart: number;
  readonly rows: number;
  readonly planes: readonly GPUBuffer[];
}

/** A weight matrix on the GPU. It has one part, or several where one binding or one grid would be too small for it. */
export interface GpuTensor {
  readonly format: TensorFormat;
  readonly rows: number;
  readonly cols: number;
  readonly parts: readonly TensorPart[];
}

/** What tensors are allocated on. */
export interface TensorMemory {
  readonly ledger: Pick<Ledger, 'buffer' | 'free'>;
  readonly limits: GpuLimits;
}

/** Parts start at multiples of this many rows, so that no vector or tile of outputs crosses two of them. */
const PART_ROWS = 64;
/** The least rows that a workgroup of any kernel takes: with this many no grid gets too large. */
const ROWS_PER_WORKGROUP = 4;

/** GPUBufferUsage, whose global object is absent in some test environments. */
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const STORAGE = 0x80;

/**
 * Zeroed buffers for a tensor of `rows` x `cols` weights.
 * @throws MemoryError when the budget would be passed; nothing is kept then
 */
export function allocateTensor(
  gpu: TensorMemory,
  label: string,
  format: TensorFormat,
  rows: number,
  cols: number,
): GpuTensor {
  const parts: TensorPart[] = [];
  const tensor: GpuTensor = { format, rows, cols, parts };
  const most = rowsPerPart(gpu, label, format, cols);
  try {
    for (let rowStart = 0; rowStart < rows; rowStart += most) {
      const partRows = Math.min(most, rows - rowStart);
      const planes: GPUBuffer[] = [];
      parts.push({ rowStart, rows: partRows, planes });
      for (const plane of format.planes) {
        const bytes = partRows * plane.rowBytes(cols);
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
function rowsPerPart(gpu: Pick<TensorMemory, 'limits'>, label: string, format: TensorFormat, cols: number): number {
  const { maxBindingBytes, workgroupsPerDimension } = gpu.limits;
  const widest = Math.max(...format.planes.map((plane) => plane.rowBytes(cols)));
  const most = Math.min(Math.floor(maxBindingBytes / widest), workgroupsPerDimension * ROWS_PER_WORKGROUP);
  if (most < PART_ROWS) {
    throw new InternalError(
      `${PART_ROWS} rows of ${label} take ${widest * PART_ROWS} bytes; one binding of this GPU holds ${maxBindingBytes}.`,
    );
  }
  return most - (most % PART_ROWS);
}

export function freeTensor(gpu: Pick<TensorMemory, 'ledger'>, tensor: GpuTensor): void {
  for (const part of tensor.parts) for (const buffer of part.planes) gpu.ledger.free(buffer);
}
