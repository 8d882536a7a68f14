/** Random quantized tensors: as they lie in a file, as float64 values by the formats' definition, and on the GPU. */
import type { Gpu } from '../../worker/gpu/device.ts';
import {
  allocateJoined,
  allocateTensor,
  type GpuTensor,
  type JoinedTensor,
  type Joining,
} from '../../worker/gpu/tensor.ts';
import { fileBytes } from '../../worker/weights/formats/index.ts';
import { bytesOfPlane } from '../../worker/weights/formats/layout.ts';
import type { FormatName, Plane, WeightFormat } from '../../worker/weights/types.ts';
import { dequantize } from '../reference/dequantize.ts';
import { repack } from '../reference/repack.ts';
import { toHalf } from './half.ts';
import type { Random } from './random.ts';

/** Where the halves of a block are. Other bytes may have any value. */
export const HALF_OFFSETS: Readonly<Partial<Record<FormatName, readonly number[]>>> = {
  q8_0: [0],
  q4_0: [0],
  q4_1: [0, 2],
  q4_k: [0, 2],
  q6_k: [208],
};

/** Sizes of the halves that give weights of about one. */
const HALF_SCALE: Readonly<Partial<Record<FormatName, number>>> = {
  q8_0: 1 / 100,
  q4_0: 1 / 8,
  q4_1: 1 / 8,
  q4_k: 1 / 400,
  q6_k: 1 / 2000,
};

export interface RandomWeights {
  readonly format: WeightFormat;
  readonly rows: number;
  readonly cols: number;
  /** As in a file. */
  readonly blocks: Uint8Array<ArrayBuffer>;
  /** Row by row, by the format's definition. */
  readonly values: Float32Array;
}

/** `half` gives the bits of each half; by default they make weights of about one. */
export function randomWeights(
  format: WeightFormat,
  rows: number,
  cols: number,
  random: Random,
  half: () => number = () => toHalf(random.float(HALF_SCALE[format.name] ?? 1)),
): RandomWeights {
  const bytes = fileBytes(format, rows, cols);
  const blocks = new Uint8Array(bytes);
  const view = new DataView(blocks.buffer);
  if (format.blockWeights === 1) {
    for (let i = 0; i < rows * cols; i++) {
      if (format.name === 'f32') view.setFloat32(i * 4, random.float(), true);
      if (format.name === 'f16') view.setUint16(i * 2, half(), true);
      if (format.name === 'bf16') {
        view.setFloat32(0, random.float(), true);
        const high = view.getUint16(2, true);
        if (i > 0) view.setUint16(i * 2, high, true);
      }
    }
    if (format.name === 'bf16') view.setUint16(0, 0x3f81, true);
  } else {
    blocks.set(random.bytes(bytes));
    for (let at = 0; at < bytes; at += format.blockBytes) {
      for (const offset of HALF_OFFSETS[format.name] ?? []) view.setUint16(at + offset, half(), true);
    }
  }
  return { format, rows, cols, blocks, values: dequantize(format.ggmlType, blocks) };
}

/** The tensor in planes, as a loader leaves it. `partBytes` makes bindings so small, so that the tensor is split. */
export function uploadWeights(gpu: Gpu, weights: RandomWeights, partBytes = gpu.limits.maxBindingBytes): GpuTensor {
  const { format, rows, cols, blocks } = weights;
  const limits = { ...gpu.limits, maxBindingBytes: partBytes };
  const tensor = allocateTensor({ ledger: gpu.ledger, limits }, 'weight', format, rows, cols);
  const planes = repack(format, blocks, rows, cols);
  for (const { planes: buffers, rowStart, rows: count } of tensor.parts) {
    for (const [i, buffer] of buffers.entries()) {
      const plane = format.planes[i] as Plane;
      const [start, bytes] = [rowStart * plane.rowBytes(cols), bytesOfPlane(plane, count, cols)];
      gpu.device.queue.writeBuffer(buffer, 0, planes[i] as Uint8Array<ArrayBuffer>, start, bytes);
    }
  }
  return tensor;
}

/** Tensors of one format that lie in the same buffers. `partBytes` makes bindings so small. */
export function uploadJoined(
  gpu: Gpu,
  members: readonly RandomWeights[],
  joining: Joining,
  together: number,
  partBytes = gpu.limits.maxBindingBytes,
): JoinedTensor {
  const { format, cols } = members[0] as RandomWeights;
  const limits = { ...gpu.limits, maxBindingBytes: partBytes };
  const rows = members.map((member) => member.rows);
  const tensor = allocateJoined({ ledger: gpu.ledger, limits }, 'joined', format, rows, cols, joining, together);
  for (const [i, { blocks, rows: count }] of members.entries()) {
    const planes = repack(format, blocks, count, cols);
    for (const part of tensor.members[i]?.parts ?? []) {
      for (const [j, buffer] of part.planes.entries()) {
        const plane = format.planes[j] as Plane;
        const stride = plane.rowBytes(cols);
        const bytes = planes[j] as Uint8Array<ArrayBuffer>;
        const from = part.rowStart * stride;
        const size = bytesOfPlane(plane, part.rows, cols);
        gpu.device.queue.writeBuffer(buffer, part.planeRow * stride, bytes, from, size);
      }
    }
  }
  return tensor;
}

/** Bytes that split a tensor's widest plane every `rows` rows. */
export function bytesOfRows(format: WeightFormat, rows: number, cols: number): number {
  return rows * Math.max(...format.planes.map((plane) => plane.rowBytes(cols)));
}
