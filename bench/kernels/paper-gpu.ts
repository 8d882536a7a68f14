import { Gpu, type StorageType } from '../../worker/gpu/device.ts';

const KIB = 1024;
const GIB = 1024 ** 3;

/** What kernels are chosen by. */
export interface PaperLimits {
  readonly workgroupBytes: number;
  readonly invocations: number;
  readonly storageBuffers: number;
  readonly bindingBytes: number;
}

/** As every GPU of a Mac, iPhone or recent desktop has it, and no more storage buffers than WebGPU promises. */
export const USUAL: PaperLimits = {
  workgroupBytes: 32 * KIB,
  invocations: 1024,
  storageBuffers: 8,
  bindingBytes: 4 * GIB - 4,
};

/** The least that WebGPU allows. */
export const NARROW: PaperLimits = {
  workgroupBytes: 16 * KIB,
  invocations: 256,
  storageBuffers: 8,
  bindingBytes: 128 * KIB * KIB,
};

/** A device without memory and without a compiler: what is recorded on it tells which kernels a device like it runs. */
export function paperGpu(storage: StorageType, limits: PaperLimits): Gpu {
  // Node has no WebGPU of its own
  globalThis.GPUBufferUsage ??= { STORAGE: 0x80, COPY_SRC: 0x4, COPY_DST: 0x8 } as typeof GPUBufferUsage;
  const nothing = () => ({});
  const device = {
    limits: {
      maxStorageBufferBindingSize: limits.bindingBytes,
      maxBufferSize: limits.bindingBytes,
      maxComputeWorkgroupStorageSize: limits.workgroupBytes,
      maxComputeInvocationsPerWorkgroup: limits.invocations,
      maxComputeWorkgroupSizeX: limits.invocations,
      maxStorageBuffersPerShaderStage: limits.storageBuffers,
      maxComputeWorkgroupsPerDimension: 65_535,
    },
    features: new Set(storage === 'f16' ? ['shader-f16'] : []),
    lost: new Promise(() => {}),
    queue: { writeBuffer: nothing },
    createBuffer: nothing,
    createBindGroup: nothing,
    createBindGroupLayout: nothing,
    createPipelineLayout: nothing,
    createShaderModule: nothing,
    createComputePipelineAsync: async () => ({}),
  };
  return new Gpu(device as unknown as GPUDevice, storage, false, Number.POSITIVE_INFINITY, false);
}
