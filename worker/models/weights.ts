import { ModelError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { allocateTensor, freeTensor, type GpuTensor, uploadRows } from '../gpu/tensor.ts';
import { formatByName } from '../weights/formats/index.ts';
import type { TensorInfo, WeightFormat } from '../weights/types.ts';
import type { StageTensor } from './spec.ts';

/** A stage's weights on the GPU, by GGUF name. Vectors are f32. */
export interface StageWeights {
  readonly matrices: ReadonlyMap<string, GpuTensor>;
  readonly vectors: ReadonlyMap<string, GPUBuffer>;
}

/** Bytes of one repacked piece: the largest that stands in JavaScript memory beside the shards. */
const PIECE_BYTES = 1024 * 1024;
/** Uploads are let drain after this many bytes, so that the browser's own copies do not pile up. */
const DRAIN_BYTES = 16 * 1024 * 1024;

/**
 * Takes the bytes of a checkpoint in ascending order, in pieces of any size, and puts each row on the GPU as soon as
 * it is whole. Tensors are allocated at once, so that the budget refuses before anything is downloaded.
 */
export class WeightLoader {
  readonly #gpu: Gpu;
  readonly #pending: PendingTensor[] = [];
  readonly #matrices = new Map<string, GpuTensor>();
  readonly #vectors = new Map<string, GPUBuffer>();
  #ropeFactors: Float32Array | undefined;
  #sinceDrain = 0;
  #next = 0;

  constructor(
    gpu: Gpu,
    wanted: readonly StageTensor[],
    tensors: ReadonlyMap<string, TensorInfo>,
    ropeFactors: string | undefined,
  ) {
    this.#gpu = gpu;
    for (const entry of wanted) {
      const info = tensors.get(entry.name);
      if (info === undefined) continue;
      const format = formatByName(info.format);
      if (entry.kind === 'matrix') {
        const tensor = allocateTensor(gpu, entry.name, format, entry.rows, entry.cols);
        this.#matrices.set(entry.name, tensor);
        this.#pending.push({
          info,
          layer: entry.layer,
          rowBytes: fileRowBytes(format, info.cols),
          row: 0,
          carry: undefined,
          carried: 0,
          sink: { tensor, format },
        });
      } else {
        const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
        const buffer = gpu.ledger.buffer(entry.name, info.cols * 4, 'weights', usage);
        this.#vectors.set(entry.name, buffer);
        this.#pending.push({
          info,
          layer: entry.layer,
          rowBytes: fileRowBytes(format, info.cols),
          row: 0,
          carry: undefined,
          carried: 0,
          sink: { buffer, isRopeFactors: entry.name === ropeFactors },
        });
      }
    }
    this.#pending.sort((a, b) => a.info.offset - b.info.offset);
  }

  /** File ranges that are needed, ascending. */
  get ranges(): readonly { readonly start: number; readonly end: number }[] {
    return this.#pending.map(({ info }) => ({ start: info.offset, end: info.offset + info.bytes }));
  }

  /** Layers of which every tensor is on the GPU. */
  get layersDone(): number {
    const open = new Set<number>();
    const all = new Set<number>();
    for (const { layer, row, info } of this.#pending) {
      if (layer === undefined) continue;
      all.add(layer);
      if (row < info.rows) open.add(layer);
    }
    return all.size - open.size;
  }

  /** Takes the bytes at `offset` of the file; keeps no view of them. Resolves when the next may come. */
  async take(offset: number, bytes: Uint8Array): Promise<void> {
    const end = offset + bytes.length;
    while (this.#next < this.#pending.length) {
      const first = this.#pending[this.#next];
      if (first === undefined || first.info.offset + first.info.bytes > offset) break;
      this.#next++;
    }
    for (let i = this.#next; i < this.#pending.length; i++) {
      const pending = this.#pending[i];
      if (pending === undefined || pending.info.offset >= end) break;
      const from = Math.max(offset, pending.info.offset);
      const to = Math.min(end, pending.info.offset + pending.info.bytes);
      if (from < to) this.#feed(pending, from, bytes.subarray(from - offset, to - offset));
    }
    this.#sinceDrain += bytes.length;
    if (this.#sinceDrain >= DRAIN_BYTES) {
      this.#sinceDrain = 0;
      await this.#gpu.device.queue.onSubmittedWorkDone();
    }
  }

  /** Allocated from the start; filled as bytes come. */
  get weights(): StageWeights {
    return { matrices: this.#matrices, vectors: this.#vectors };
  }

  /** The rotary factors, which the CPU needs for its table, once they came. */
  get ropeFactors(): Float32Array | undefined {
    return this.#ropeFactors;
  }

  /** Throws ModelError when some weights did not come. */
  finish(): void {
    const open = this.#pending.find(({ row, info }) => row < info.rows);
    if (open !== undefined) throw new ModelError(`The file ended before the tensor ${open.info.name} was complete.`);
  }

  /** Frees what was allocated, when loading ends early. */
  free(): void {
    freeWeights(this.#gpu, this.weights);
  }

  #feed(pending: PendingTensor, offset: number, bytes: Uint8Array): void {
    const { info, rowBytes } = pending;
    const reached = info.offset + pending.row * rowBytes + pending.carried;
    if (offset !== reached)
      throw new ModelError(`Bytes of ${info.name} came out of order: at ${offset}, expected ${reached}.`);
    let rest = bytes;
    if (pending.carried > 0) {
      pending.carry ??= new Uint8Array(rowBytes);
      const take = Math.min(rowBytes - pending.carried, rest.length);
      pending.carry.set(rest.subarray(0, take), pending.carried);
      pending.carried += take;
      rest = rest.subarray(take);
      if (pending.carried < rowBytes) return;
      this.#rows(pending, pending.carry, 1);
      pending.carried = 0;
    }
    const rows = Math.floor(rest.length / rowBytes);
    const atOnce = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
    for (let row = 0; row < rows; row += atOnce) {
      const count = Math.min(atOnce, rows - row);
      this.#rows(pending, rest.subarray(row * rowBytes, (row + count) * rowBytes), count);
    }
    rest = rest.subarray(rows * rowBytes);
    if (rest.length > 0) {
      pending.carry ??= new Uint8Array(rowBytes);
      pending.carry.set(rest);
      pending.carried = rest.length;
    }
    if (pending.row >= info.rows) pending.carry = undefined;
  }

  #rows(pending: PendingTensor, source: Uint8Array, rows: number): void {
    const { info, sink } = pending;
    if ('tensor' in sink) {
      const { format } = sink;
      const planes = format.planes.map((plane, i) => this.#staging(i, plane.rowBytes(info.cols) * rows));
      format.repack(source, rows, info.cols, planes);
      uploadRows(this.#gpu, sink.tensor, pending.row, rows, planes);
    } else {
      const values = toFloat32(info, source);
      this.#gpu.device.queue.writeBuffer(sink.buffer, 0, values);
      if (sink.isRopeFactors) this.#ropeFactors = values;
    }
    pending.row += rows;
  }

  readonly #stagingBuffers: Uint8Array<ArrayBuffer>[] = [];
  /** A view of `bytes` of the plane's staging buffer, which is reused from piece to piece. */
  #staging(plane: number, bytes: number): Uint8Array<ArrayBuffer> {
    let buffer = this.#stagingBuffers[plane];
    if (buffer === undefined || buffer.length < bytes) {
      buffer = new Uint8Array(Math.max(bytes, PIECE_BYTES));
      this.#stagingBuffers[plane] = buffer;
    }
    return buffer.subarray(0, bytes);
  }
}

interface PendingTensor {
  readonly info: TensorInfo;
  readonly layer: number | undefined;
  readonly rowBytes: number;
  /** Rows that are on the GPU. */
  row: number;
  /** The start of a row whose end has not come yet. */
  carry: Uint8Array | undefined;
  carried: number;
  readonly sink:
    | { readonly tensor: GpuTensor; readonly format: WeightFormat }
    | { readonly buffer: GPUBuffer; readonly isRopeFactors: boolean };
}

export function freeWeights(gpu: Gpu, weights: StageWeights): void {
  for (const tensor of weights.matrices.values()) freeTensor(gpu, tensor);
  for (const buffer of weights.vectors.values()) gpu.ledger.free(buffer);
}

function fileRowBytes(format: WeightFormat, cols: number): number {
  return (cols / format.blockWeights) * format.blockBytes;
}

/** Norms, biases and factors come as F32, F16 or BF16. */
function toFloat32(info: TensorInfo, source: Uint8Array): Float32Array<ArrayBuffer> {
  const bytes = source.slice();
  const values = new Float32Array(info.cols);
  switch (info.format) {
    case 'f32':
      values.set(new Float32Array(bytes.buffer, 0, info.cols));
      return values;
    case 'bf16': {
      const halves = new Uint16Array(bytes.buffer, 0, info.cols);
      const words = new Uint32Array(values.buffer);
      for (let i = 0; i < info.cols; i++) words[i] = (halves[i] ?? 0) << 16;
      return values;
    }
    case 'f16': {
      const halves = new Uint16Array(bytes.buffer, 0, info.cols);
      for (let i = 0; i < info.cols; i++) values[i] = halfToFloat(halves[i] ?? 0);
      return values;
    }
    default:
      throw new ModelError(
        `The tensor ${info.name} is ${info.format}; norms and biases are expected as F32, F16 or BF16.`,
      );
  }
}

/** IEEE 754 binary16 to a number. */
export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
