import { ModelError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { Repacker } from '../gpu/repack.ts';
import {
  allocateJoined,
  allocateTensor,
  freeTensor,
  type GpuTensor,
  type JoinedTensor,
  type TensorMemory,
} from '../gpu/tensor.ts';
import { fileBytes, formatByName } from '../weights/formats/index.ts';
import type { TensorInfo } from '../weights/types.ts';
import type { StageTensor } from './spec.ts';
import { weightLayout } from './weight-layout.ts';

/** A stage's weights on the GPU, by GGUF name. Vectors are f32. */
export interface StageWeights {
  readonly matrices: ReadonlyMap<string, GpuTensor>;
  /** Which of them lie in the same buffers, by the name that they are joined by. */
  readonly joined: ReadonlyMap<string, readonly JoinedWeights[]>;
  /** Biases of joined tensors are in one buffer: each begins at its tensor's `biasStart`. */
  readonly vectors: ReadonlyMap<string, GPUBuffer>;
}

/** Tensors of one format as one, and their names in the order of its members. */
export interface JoinedWeights {
  readonly tensor: JoinedTensor;
  readonly names: readonly string[];
}

/** Uploads are let drain after this many bytes, so that the browser's own copies of them do not pile up. */
const DRAIN_BYTES = 8 * 1024 * 1024;

/**
 * Buffers for what a stage wants of a checkpoint, zeroed, all at once, so that the budget refuses before anything is
 * downloaded.
 * @throws MemoryError when the budget would be passed; nothing is kept then
 */
export function allocateWeights(
  gpu: TensorMemory,
  wanted: readonly StageTensor[],
  tensors: ReadonlyMap<string, TensorInfo>,
): StageWeights {
  const matrices = new Map<string, GpuTensor>();
  const joined = new Map<string, JoinedWeights[]>();
  const vectors = new Map<string, GPUBuffer>();
  const weights: StageWeights = { matrices, joined, vectors };
  const layout = weightLayout(wanted, tensors);
  try {
    for (const { format, cols, joined: spec, members } of layout.matrices) {
      const names = members.map(({ name }) => name);
      const rows = members.map((member) => member.rows);
      if (spec === undefined) {
        for (const { name, rows, biasStart } of members) {
          matrices.set(name, { ...allocateTensor(gpu, name, format, rows, cols), biasStart });
        }
        continue;
      }
      // a pair of two formats is no pair
      const joining = members.length > 1 ? spec.joining : 'stacked';
      const tensor = allocateJoined(gpu, names.join(', '), format, rows, cols, joining, spec.together);
      joined.set(spec.name, [...(joined.get(spec.name) ?? []), { tensor, names }]);
      for (const [i, { name, biasStart }] of members.entries()) {
        const view = tensor.members[i];
        if (view !== undefined) matrices.set(name, { ...view, biasStart });
      }
    }
    for (const { cols, members } of layout.vectors) {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      const buffer = gpu.ledger.buffer(members.map(({ name }) => name).join(', '), cols * 4, 'weights', usage);
      for (const { name } of members) vectors.set(name, buffer);
    }
  } catch (error) {
    freeWeights(gpu, weights);
    throw error;
  }
  return weights;
}

export interface WeightLoaderOptions {
  readonly gpu: Gpu;
  /** Buffers for what is wanted; they stay the caller's. */
  readonly weights: StageWeights;
  readonly wanted: readonly StageTensor[];
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Name of the tensor of rotary factors, where the model has one. */
  readonly ropeFactors: string | undefined;
  /** For `stagingBytes(ringBytes)`, or STAGING_BYTES, of the file at hand. */
  readonly staging: GPUBuffer;
  readonly ringBytes?: number;
}

/**
 * Takes the bytes of a checkpoint in ascending order, in pieces of any size, and brings each row to the GPU as soon as
 * it is whole: matrices as they lie in the file, to be repacked there, vectors as f32.
 */
export class WeightLoader {
  readonly #gpu: Gpu;
  readonly #repacker: Repacker;
  readonly #compiled: Promise<void>;
  readonly #pending: PendingTensor[] = [];
  #drained: Promise<undefined> | undefined;
  #sinceDrain = 0;
  #next = 0;
  #ropeFactors: Float32Array | undefined;

  /** Begins to compile the kernels that repack. @throws ModelError for rows that are too long for the staging buffer */
  constructor({ gpu, weights, wanted, tensors, ropeFactors, staging, ringBytes }: WeightLoaderOptions) {
    this.#gpu = gpu;
    const formats = [...weights.matrices.values()].map(({ format }) => format);
    this.#repacker = new Repacker(gpu, staging, formats, ringBytes);
    const { vectors } = weightLayout(wanted, tensors);
    const starts = new Map(vectors.flatMap(({ members }) => members.map(({ name, start }) => [name, start])));
    for (const { name, layer } of wanted) {
      const info = tensors.get(name);
      if (info === undefined) continue;
      const matrix = weights.matrices.get(name);
      const vector = weights.vectors.get(name);
      const shared = { info, layer, reached: info.offset, end: info.offset + info.bytes };
      if (matrix !== undefined) {
        const rowBytes = fileBytes(formatByName(info.format), 1, info.cols);
        const most = this.#repacker.pieceBytes;
        if (rowBytes > most) {
          throw new ModelError(`The rows of ${name} have ${rowBytes} bytes; Shoal loads rows of up to ${most}.`);
        }
        this.#pending.push({ ...shared, sink: { kind: 'matrix', tensor: matrix, rowBytes, rows: 0 } });
      } else if (vector !== undefined) {
        const isRopeFactors = name === ropeFactors;
        const start = starts.get(name) ?? 0;
        this.#pending.push({
          ...shared,
          sink: { kind: 'vector', buffer: vector, start, bytes: undefined, isRopeFactors },
        });
      }
    }
    this.#pending.sort((a, b) => a.info.offset - b.info.offset);
    this.#compiled = this.#repacker.ready();
    this.#compiled.catch(() => {}); // awaited by `take`
  }

  /** File ranges that are needed, ascending. */
  get ranges(): readonly { readonly start: number; readonly end: number }[] {
    return this.#pending.map(({ info, end }) => ({ start: info.offset, end }));
  }

  /** Layers of which every tensor is on the GPU. */
  get layersDone(): number {
    const open = new Set<number>();
    const all = new Set<number>();
    for (const { layer, reached, end } of this.#pending) {
      if (layer === undefined) continue;
      all.add(layer);
      if (reached < end) open.add(layer);
    }
    return all.size - open.size;
  }

  /**
   * Takes the bytes at `offset` of the file, a multiple of 4; keeps no view of them. Resolves when the next may come.
   */
  async take(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#compiled;
    const end = offset + bytes.length;
    const grid = this.#repacker.pieceBytes;
    for (let at = offset; at < end; ) {
      const to = Math.min(end, (Math.floor(at / grid) + 1) * grid);
      this.#takePiece(at, bytes.subarray(at - offset, to - offset));
      at = to;
    }
    this.#sinceDrain += bytes.length;
    if (this.#sinceDrain >= DRAIN_BYTES) {
      this.#sinceDrain = 0;
      await this.#drained;
      this.#drained = this.#gpu.device.queue.onSubmittedWorkDone();
      this.#drained.catch(() => {}); // awaited the next time
    }
  }

  /** The rotary factors, which the CPU needs for its table, once they came. */
  get ropeFactors(): Float32Array | undefined {
    return this.#ropeFactors;
  }

  /** Throws ModelError when some weights did not come. */
  finish(): void {
    const open = this.#pending.find(({ reached, end }) => reached < end);
    if (open !== undefined) throw new ModelError(`The file ended before the tensor ${open.info.name} was complete.`);
  }

  #takePiece(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    while ((this.#pending[this.#next]?.end ?? Number.POSITIVE_INFINITY) <= offset) this.#next++;
    let written = false;
    for (let i = this.#next; i < this.#pending.length; i++) {
      const pending = this.#pending[i];
      if (pending === undefined || pending.info.offset >= end) break;
      const from = Math.max(offset, pending.info.offset);
      const to = Math.min(end, pending.end);
      if (from >= to) continue;
      if (from !== pending.reached) {
        throw new ModelError(
          `Bytes of ${pending.info.name} came out of order: at ${from}, expected ${pending.reached}.`,
        );
      }
      pending.reached = to;
      if (pending.sink.kind === 'vector') this.#takeVector(pending, bytes.subarray(from - offset, to - offset));
      else {
        if (!written) this.#repacker.write(offset, bytes);
        written = true;
        this.#takeRows(pending.info, pending.sink, to);
      }
    }
    this.#repacker.submit();
  }

  /** Repacks the rows that are whole now that the file was read up to `reached`. */
  #takeRows(info: TensorInfo, sink: MatrixSink, reached: number): void {
    const rows = Math.floor((reached - info.offset) / sink.rowBytes);
    if (rows === sink.rows) return;
    this.#repacker.repack(sink.tensor, sink.rows, rows - sink.rows, info.offset + sink.rows * sink.rowBytes);
    sink.rows = rows;
  }

  #takeVector({ info, reached, end, sink }: PendingTensor, bytes: Uint8Array): void {
    if (sink.kind !== 'vector') return;
    sink.bytes ??= new Uint8Array(info.bytes);
    sink.bytes.set(bytes, reached - bytes.length - info.offset);
    if (reached < end) return;
    const values = toFloat32(info, sink.bytes);
    this.#gpu.device.queue.writeBuffer(sink.buffer, sink.start * 4, values);
    if (sink.isRopeFactors) this.#ropeFactors = values;
    sink.bytes = undefined;
  }
}

interface PendingTensor {
  readonly info: TensorInfo;
  readonly layer: number | undefined;
  /** How far of it the file was read, and where it ends. */
  reached: number;
  readonly end: number;
  readonly sink: MatrixSink | VectorSink;
}

interface MatrixSink {
  readonly kind: 'matrix';
  readonly tensor: GpuTensor;
  readonly rowBytes: number;
  /** Rows that are on the GPU. */
  rows: number;
}

interface VectorSink {
  readonly kind: 'vector';
  readonly buffer: GPUBuffer;
  /** Its first entry's place in the buffer. */
  readonly start: number;
  readonly isRopeFactors: boolean;
  bytes: Uint8Array<ArrayBuffer> | undefined;
}

export function freeWeights(gpu: Pick<TensorMemory, 'ledger'>, { matrices, joined, vectors }: StageWeights): void {
  const shared = new Set<string>();
  for (const { tensor, names } of [...joined.values()].flat()) {
    for (const name of names) shared.add(name);
    freeTensor(gpu, tensor);
  }
  for (const [name, tensor] of matrices) if (!shared.has(name)) freeTensor(gpu, tensor);
  for (const buffer of new Set(vectors.values())) gpu.ledger.free(buffer);
}

/** Norms, biases and factors come as F32, F16 or BF16. */
function toFloat32(info: TensorInfo, bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
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
