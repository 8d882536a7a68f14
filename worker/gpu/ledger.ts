import { InternalError, MemoryError } from '../errors.ts';

export type MemoryUse = 'weights' | 'kv' | 'scratch';

/** Every GPU buffer of a device, counted by what it is for, and never over the budget. */
export class Ledger {
  readonly #device: GPUDevice;
  readonly #sizes = new Map<GPUBuffer, { readonly bytes: number; readonly use: MemoryUse }>();
  readonly #taken: Record<MemoryUse, number> = { weights: 0, kv: 0, scratch: 0 };
  #budgetBytes: number;

  constructor(device: GPUDevice, budgetBytes: number) {
    this.#device = device;
    this.#budgetBytes = budgetBytes;
  }

  get takenBytes(): number {
    return this.#taken.weights + this.#taken.kv + this.#taken.scratch;
  }
  get byUse(): Readonly<Record<MemoryUse, number>> {
    return { ...this.#taken };
  }
  get budgetBytes(): number {
    return this.#budgetBytes;
  }
  set budgetBytes(bytes: number) {
    this.#budgetBytes = bytes;
  }

  /** A zeroed buffer of at least `bytes` (a multiple of 16). Throws MemoryError when the budget would be passed. */
  buffer(label: string, bytes: number, use: MemoryUse, usage: GPUBufferUsageFlags): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (this.takenBytes + size > this.#budgetBytes) {
      throw new MemoryError(
        `${label} needs ${megabytes(size)} more, and ${megabytes(this.#budgetBytes - this.takenBytes)} of the ` +
          `${megabytes(this.#budgetBytes)} that models may take on this device are free. Choose a smaller model or a shorter context.`,
        { neededBytes: size, allowedBytes: this.#budgetBytes - this.takenBytes },
      );
    }
    const buffer = this.#device.createBuffer({ label, size, usage });
    this.#sizes.set(buffer, { bytes: size, use });
    this.#taken[use] += size;
    return buffer;
  }

  free(buffer: GPUBuffer): void {
    const entry = this.#sizes.get(buffer);
    if (entry === undefined)
      throw new InternalError(`Buffer ${buffer.label} was freed twice, or is not of this ledger.`);
    this.#sizes.delete(buffer);
    this.#taken[entry.use] -= entry.bytes;
    buffer.destroy();
  }

  freeAll(): void {
    for (const buffer of [...this.#sizes.keys()]) this.free(buffer);
  }
}

function megabytes(bytes: number): string {
  return `${(Math.max(0, bytes) / 1e6).toFixed(0)} MB`;
}
