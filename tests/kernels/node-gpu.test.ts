import { describe, expect, it } from 'vitest';
import { openNodeGpu } from '../setup/node-gpu.ts';
import { ensureSoftwareGpu } from '../setup/software-gpu.mjs';

const driver = await ensureSoftwareGpu();
const skipReason = 'skipped' in driver ? driver.skipped : '';

const doubleAll = /* wgsl */ `
enable f16;
@group(0) @binding(0) var<storage, read_write> data: array<f16>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u) { data[id.x] = data[id.x] * 2.0h; }`;

async function openDevice(backend: 'vulkan' | 'null'): Promise<GPUDevice> {
  const gpu = await openNodeGpu({ backend });
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error(`no ${backend} adapter`);
  return adapter.requestDevice({ requiredFeatures: ['shader-f16'] });
}

describe('WebGPU in Node', () => {
  it.skipIf(skipReason)(`the software driver computes with 16-bit floats ${skipReason}`, async () => {
    const device = await openDevice('vulkan');
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const data = device.createBuffer({ size: 8, usage });
    // 1, 1.5, -2, 0.25 as 16-bit floats
    device.queue.writeBuffer(data, 0, new Uint16Array([0x3c00, 0x3e00, 0xc000, 0x3400]));
    const module = device.createShaderModule({ code: doubleAll });
    const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
    const layout = pipeline.getBindGroupLayout(0);
    const bindGroup = device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: data } }] });
    const readback = device.createBuffer({ size: 8, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(data, 0, readback, 0, 8);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ);
    const doubled = Array.from(new Uint16Array(readback.getMappedRange()));
    device.destroy();
    expect(doubled).toEqual([0x4000, 0x4200, 0xc400, 0x3800]);
  });

  it("Dawn's null backend finds an error in a shader", async () => {
    const device = await openDevice('null');
    device.pushErrorScope('validation');
    device.createShaderModule({ code: doubleAll.replace('2.0h', '2.0f') });
    const error = await device.popErrorScope();
    device.destroy();
    expect(error?.message).toContain('no matching overload');
  });
});
