import { DeviceError, ShoalError } from '../errors.ts';
import { KernelCache } from './kernels.ts';
import { Ledger } from './ledger.ts';

/** A lost device fails the calls under way before it says that it is lost. */
const LOST_AFTER_MS = 1000;

/** How activations, keys and values lie in buffers. Arithmetic is f32 in both. */
export type StorageType = 'f32' | 'f16';

export interface GpuLimits {
  readonly maxBindingBytes: number;
  readonly workgroupBytes: number;
  readonly invocations: number;
  readonly storageBuffers: number;
  readonly workgroupsPerDimension: number;
}

export interface GpuOptions {
  readonly storage: 'auto' | StorageType;
  readonly budgetBytes: number;
  /** Whether kernels that no step has asked for yet are compiled, too; so unless a test says otherwise. */
  readonly compilesAhead?: boolean;
}

/** An opened device with its memory ledger and its kernels. `failure` resolves once, with what ended it. */
export class Gpu {
  readonly device: GPUDevice;
  readonly storage: StorageType;
  readonly limits: GpuLimits;
  readonly ledger: Ledger;
  readonly kernels: KernelCache;
  readonly failure: Promise<DeviceError>;
  readonly software: boolean;
  readonly compilesAhead: boolean;
  #failed: DeviceError | undefined;
  #reportFailure: (error: DeviceError) => void = () => {};

  constructor(device: GPUDevice, storage: StorageType, software: boolean, budgetBytes: number, compilesAhead: boolean) {
    this.device = device;
    this.storage = storage;
    this.software = software;
    this.compilesAhead = compilesAhead;
    const { limits } = device;
    this.limits = {
      maxBindingBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      invocations: limits.maxComputeInvocationsPerWorkgroup,
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
      workgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    };
    this.ledger = new Ledger(device, budgetBytes);
    this.kernels = new KernelCache(device);
    this.failure = new Promise((resolve) => {
      this.#reportFailure = resolve;
    });
    void device.lost.then((info) => this.#fail(new DeviceError(lostWords(info), { reason: 'lost' })));
    device.onuncapturederror = ({ error }) => {
      const memory = error instanceof GPUOutOfMemoryError;
      const what = memory ? 'The GPU ran out of memory' : 'The GPU refused a command';
      this.#fail(new DeviceError(`${what}: ${error.message}`, { reason: memory ? 'out-of-memory' : 'validation' }));
    };
  }

  get failed(): DeviceError | undefined {
    return this.#failed;
  }

  /** What made a call on the device fail: what ended the device, also where that is told a little later. */
  async causeOf(error: unknown): Promise<unknown> {
    if (error instanceof ShoalError) return this.#failed ?? error;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<unknown>((resolve) => {
      timer = setTimeout(() => resolve(error), LOST_AFTER_MS);
    });
    const cause = await Promise.race([this.failure, patience]);
    clearTimeout(timer);
    return cause;
  }

  /** Throws what ended the device, if anything did. */
  check(): void {
    if (this.#failed !== undefined) throw this.#failed;
  }

  close(): void {
    this.ledger.freeAll();
    this.device.destroy();
  }

  #fail(error: DeviceError): void {
    if (this.#failed !== undefined) return;
    this.#failed = error;
    this.#reportFailure(error);
  }
}

/** Asks the adapter for what Shoal uses, each limit and feature only where it is listed. */
export async function openGpu(adapter: GPUAdapter, options: GpuOptions): Promise<Gpu> {
  const f16 = adapter.features.has('shader-f16') && options.storage !== 'f32';
  if (options.storage === 'f16' && !f16) {
    throw new DeviceError('This GPU has no 16-bit arithmetic (shader-f16).', { reason: 'absent' });
  }
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: f16 ? ['shader-f16'] : [],
    requiredLimits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: Math.min(limits.maxComputeWorkgroupStorageSize, 32 * 1024),
      maxComputeInvocationsPerWorkgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, 1024),
      maxComputeWorkgroupSizeX: Math.min(limits.maxComputeWorkgroupSizeX, 1024),
      maxStorageBuffersPerShaderStage: Math.min(limits.maxStorageBuffersPerShaderStage, 10),
    },
  });
  const { budgetBytes, compilesAhead = true } = options;
  return new Gpu(device, f16 ? 'f16' : 'f32', isSoftware(adapter.info), budgetBytes, compilesAhead);
}

function lostWords({ message, reason }: GPUDeviceLostInfo): string {
  const why = (message || reason).trim().replace(/\.+$/, '');
  return why === '' ? 'The GPU was lost.' : `The GPU was lost: ${why}.`;
}

export function isSoftware(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter === true ||
    /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${info.architecture} ${info.device} ${info.description}`)
  );
}
