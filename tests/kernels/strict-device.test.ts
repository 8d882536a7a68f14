import { describe, expect, it } from 'vitest';
import { openNodeGpu } from '../setup/node-gpu.ts';
import { type StrictProfile, strictAdapter } from './strict-device.ts';

async function adapterOf(profile: StrictProfile): Promise<GPUAdapter> {
  const adapter = await (await openNodeGpu({ backend: 'null' })).requestAdapter();
  if (adapter === null) throw new Error('the null backend has no adapter');
  return strictAdapter(adapter, profile);
}

const kernel = (size: string, extra = '') => `${extra}
var<workgroup> shared_values: array<f32, 64>;
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@compute @workgroup_size(${size}) fn main(@builtin(local_invocation_index) i: u32) { values[i] = shared_values[i % 64u]; }`;

describe('the strict device', () => {
  it('lists what Safari and Android list, and nothing more', async () => {
    const safari = await adapterOf('safari');
    const android = await adapterOf('android');
    expect([...safari.features]).toEqual(['shader-f16']);
    expect([...android.features]).toEqual([]);
    expect(safari.limits.maxComputeWorkgroupStorageSize).toBe(32 * 1024);
    expect(android.limits.maxComputeWorkgroupStorageSize).toBe(16 * 1024);
    expect(android.limits.maxStorageBufferBindingSize).toBe(128 * 1024 * 1024);
  });

  it('gives the default limits unless more is requested, and refuses more than is listed', async () => {
    expect((await (await adapterOf('safari')).requestDevice()).limits.maxComputeInvocationsPerWorkgroup).toBe(256);
    const requiredLimits = { maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupSizeX: 1024 };
    // a GPU that grants whatever is asked: the null backend has no more than 256 itself
    const generous = { limits: {}, features: new Set(), requestDevice: async () => ({ limits: {} }) };
    const wide = strictAdapter(generous as unknown as GPUAdapter, 'safari');
    expect((await wide.requestDevice({ requiredLimits })).limits.maxComputeInvocationsPerWorkgroup).toBe(1024);
    await expect((await adapterOf('android')).requestDevice({ requiredLimits })).rejects.toThrow('was requested');
    const requiredFeatures: GPUFeatureName[] = ['shader-f16'];
    await expect((await adapterOf('android')).requestDevice({ requiredFeatures })).rejects.toThrow('lacks it');
  });

  it('refuses shaders that are too wide, use subgroups, or f16 that was not granted', async () => {
    const device = await (await adapterOf('safari')).requestDevice();
    expect(() => device.createShaderModule({ code: kernel('256') })).not.toThrow();
    expect(() => device.createShaderModule({ code: kernel('512') })).toThrow('512');
    expect(() => device.createShaderModule({ code: kernel('32, 16') })).toThrow('512');
    expect(() => device.createShaderModule({ code: kernel('64', 'enable subgroups;') })).toThrow('subgroups');
    expect(() => device.createShaderModule({ code: kernel('64', 'enable f16;') })).toThrow('f16');
  });

  it('refuses workgroup memory over 16 KiB that was not requested', async () => {
    const device = await (await adapterOf('safari')).requestDevice();
    const create = (floats: number) =>
      device.createComputePipelineAsync({
        layout: 'auto',
        compute: { module: device.createShaderModule({ code: kernel('64').replace('f32, 64>', `f32, ${floats}>`) }) },
      });
    await expect(create(4096)).resolves.toBeDefined();
    await expect(create(4097)).rejects.toThrow();
  });

  it('refuses grids that Safari drops, nine storage buffers, and buffers and bindings that are too large', async () => {
    const device = await (await adapterOf('android')).requestDevice({
      requiredLimits: { maxBufferSize: 256 * 1024 * 1024 },
    });
    const entries = (count: number): GPUBindGroupLayoutEntry[] =>
      Array.from({ length: count }, (_, binding) => ({ binding, visibility: 4, buffer: { type: 'storage' } }));
    const layout = device.createBindGroupLayout({ entries: entries(8) });
    expect(() => device.createBindGroupLayout({ entries: entries(9) })).toThrow('9');
    expect(() => device.createBuffer({ size: 257 * 1024 * 1024, usage: 0x80 })).toThrow('size of a buffer');
    const buffer = device.createBuffer({ size: 129 * 1024 * 1024, usage: 0x80 });
    expect(() => device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] })).toThrow(
      'binding 0',
    );
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    expect(() => pass.dispatchWorkgroups(1, 65_536)).toThrow('65536');
    pass.end();
  });
});
