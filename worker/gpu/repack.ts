import { InternalError } from '../errors.ts';
import type { Gpu } from './device.ts';
import type { Kernel } from './kernels.ts';
import type { GpuTensor, TensorFormat, TensorPart } from './tensor.ts';

/** The file's bytes at hand, in two halves: while one is being filled, the other has the starts of cut rows. */
const RING_BYTES = 4 * 1024 * 1024;
/** Dispatches of one submit, and how far apart their sizes lie: what bindings must be aligned to. */
const SLOTS = 64;
const SLOT_BYTES = 256;
const SIZES_BYTES = 16;

const THREADS = 64;
/** Weights that a thread of every repacking kernel takes. */
const UNIT_WEIGHTS = 32;

/** What a `Repacker` needs of GPU memory, bytes. */
export const STAGING_BYTES = stagingBytes(RING_BYTES);

export function stagingBytes(ringBytes: number): number {
  return ringBytes + SLOTS * SLOT_BYTES;
}

/**
 * Brings rows from the file's layout into the planes that kernels read, on the GPU. The file's bytes are written to a
 * ring, byte b of the file at b modulo its size; `repack` takes whole rows out of it. Writes and submits are in order
 * on the queue, so the ring may be overwritten as soon as `submit` was called.
 */
export class Repacker {
  readonly #gpu: Gpu;
  readonly #staging: GPUBuffer;
  readonly #ringBytes: number;
  readonly #kernels = new Map<string, Kernel>();
  readonly #sizes = new Uint32Array((SLOTS * SLOT_BYTES) / 4);
  readonly #open: { readonly kernel: Kernel; readonly part: TensorPart; readonly workgroups: number }[] = [];

  /**
   * @param staging of `stagingBytes(ringBytes)` bytes, storage and copy destination; it stays the caller's
   * @param formats whose kernels are to be compiled
   */
  constructor(gpu: Gpu, staging: GPUBuffer, formats: Iterable<TensorFormat>, ringBytes = RING_BYTES) {
    this.#gpu = gpu;
    this.#staging = staging;
    this.#ringBytes = ringBytes;
    for (const { name, repack } of formats) {
      if (!this.#kernels.has(name)) this.#kernels.set(name, gpu.kernels.get(repack, { ringBytes }));
    }
  }

  /** Most bytes of a `write`, and of a row. Writes may not cross a multiple of it. */
  get pieceBytes(): number {
    return this.#ringBytes / 2;
  }

  /** Resolves when every kernel is compiled; `repack` may be called from then on. */
  async ready(): Promise<void> {
    await Promise.all([...this.#kernels.values()].map(({ ready }) => ready));
  }

  /** Puts the file's bytes from `offset` (a multiple of 4) into the ring, over those of two pieces before. */
  write(offset: number, bytes: Uint8Array): void {
    const { queue } = this.#gpu.device;
    const piece = Math.floor(offset / this.pieceBytes);
    if (offset % 4 !== 0 || offset + bytes.length > (piece + 1) * this.pieceBytes) {
      throw new InternalError(`${bytes.length} bytes at ${offset} are no piece on the grid of ${this.pieceBytes}.`);
    }
    const to = offset % this.#ringBytes;
    const words = bytes.length - (bytes.length % 4);
    if (words > 0) queue.writeBuffer(this.#staging, to, bytes.buffer, bytes.byteOffset, words);
    if (words === bytes.length) return;
    const last = new Uint8Array(4); // the end of a file
    last.set(bytes.subarray(words));
    queue.writeBuffer(this.#staging, to + words, last);
  }

  /** Repacks rows [firstRow, firstRow + rows), whose bytes start at `offset` of the file and are all in the ring. */
  repack(tensor: GpuTensor, firstRow: number, rows: number, offset: number): void {
    if (firstRow < 0 || firstRow + rows > tensor.rows) {
      throw new InternalError(`Rows ${firstRow} to ${firstRow + rows} of a tensor of ${tensor.rows} were uploaded.`);
    }
    const { format, cols } = tensor;
    const kernel = this.#kernels.get(format.name);
    if (kernel === undefined) throw new InternalError(`No kernel that repacks ${format.name} was asked for.`);
    const rowBytes = (cols / format.blockWeights) * format.blockBytes;
    for (const part of tensor.parts) {
      const start = Math.max(firstRow, part.rowStart);
      const count = Math.min(firstRow + rows, part.rowStart + part.rows) - start;
      if (count <= 0) continue;
      if (this.#open.length === SLOTS) this.submit();
      const ringStart = (offset + (start - firstRow) * rowBytes) % this.#ringBytes;
      const first = part.planeRow + start - part.rowStart;
      this.#sizes.set([ringStart, count, first, cols], (this.#open.length * SLOT_BYTES) / 4);
      const workgroups = Math.ceil((count * Math.ceil(cols / UNIT_WEIGHTS)) / THREADS);
      this.#open.push({ kernel, part, workgroups });
    }
  }

  /** Submits what `repack` was called for. */
  submit(): void {
    if (this.#open.length === 0) return;
    const { device } = this.#gpu;
    const used = (this.#open.length * SLOT_BYTES) / 4;
    device.queue.writeBuffer(this.#staging, this.#ringBytes, this.#sizes, 0, used);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const [slot, { kernel, part, workgroups }] of this.#open.entries()) {
      if (kernel.pipeline === undefined) throw new InternalError(`${kernel.name} is not compiled yet.`);
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, this.#group(kernel, part, slot));
      pass.dispatchWorkgroups(workgroups);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
    this.#open.length = 0;
  }

  #group(kernel: Kernel, part: TensorPart, slot: number): GPUBindGroup {
    const buffer = this.#staging;
    const offset = this.#ringBytes + slot * SLOT_BYTES;
    return this.#gpu.device.createBindGroup({
      label: kernel.name,
      layout: kernel.layout,
      entries: [
        { binding: 0, resource: { buffer, size: this.#ringBytes } },
        { binding: 1, resource: { buffer, offset, size: SIZES_BYTES } },
        ...part.planes.map((plane, i) => ({ binding: 2 + i, resource: { buffer: plane } })),
      ],
    });
  }
}
