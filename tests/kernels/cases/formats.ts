import { SHADERS } from '../../../shaders/index.ts';
import type { Gpu } from '../../../worker/gpu/device.ts';
import { bindingsOf, type Kernel } from '../../../worker/gpu/kernels.ts';
import { specialize } from '../../../worker/gpu/specialize.ts';
import { padded, UNIT } from '../../../worker/gpu/step.ts';
import { FORMATS } from '../../../worker/weights/formats/index.ts';
import type { WeightFormat } from '../../../worker/weights/types.ts';
import { execute, expectClose, type KernelCase, poisoned, readFloats, spread } from '../harness.ts';
import { type RandomWeights, randomWeights, uploadWeights } from '../weights.ts';

/** Every unit of every row, as `load_eight` gives it. */
const UNPACK = /* wgsl */ `
#import $format
@group(0) @binding($outBinding) var<storage, read_write> unpacked: array<vec4f>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3u) {
  for (var i = 0u; i < 4u; i++) {
    let eight = load_eight(id.y, id.x, i);
    unpacked[(id.y * row_units() + id.x) * 8u + i * 2u] = eight[0];
    unpacked[(id.y * row_units() + id.x) * 8u + i * 2u + 1u] = eight[1];
  }
}
fn row_units() -> u32 { return $units; }`;

/** Scales that a file may hold: both zeros, subnormals, the least normal, the largest below 64, and what is usual. */
const HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x8400, 0x53ff, 0xd3ff, 0x2c3d, 0xac3d];

/** A GPU may flush f32 results smaller than this; BF16 weights can be. */
const LEAST_NORMAL = 2 ** -126;

function unpackKernel(gpu: Gpu, format: WeightFormat, cols: number): Kernel {
  const constants = {
    f16: false,
    format: format.snippet,
    units: padded(cols) / UNIT,
    outBinding: format.planes.length,
  };
  const source = specialize('unpack', constants, new Map([...SHADERS, ['unpack', UNPACK]]));
  const layout = gpu.device.createBindGroupLayout({ entries: bindingsOf(source) });
  const kernel: Kernel = {
    name: 'unpack',
    source,
    about: { role: 'other' },
    layout,
    ready: gpu.device.createComputePipelineAsync({
      layout: gpu.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: gpu.device.createShaderModule({ code: source }), entryPoint: 'main' },
    }),
    pipeline: undefined,
  };
  void kernel.ready.then((pipeline) => {
    kernel.pipeline = pipeline;
  });
  return kernel;
}

async function unpacksExactly(gpu: Gpu, weights: RandomWeights): Promise<void> {
  const { format, rows, cols, values } = weights;
  const tensor = uploadWeights(gpu, weights);
  const count = rows * padded(cols);
  const out = poisoned(gpu, count, 'f32');
  const kernel = unpackKernel(gpu, format, cols);
  const buffers = [...(tensor.parts[0]?.planes ?? []), out];
  await execute(gpu, [{ kernel, buffers, grid: [padded(cols) / UNIT, rows, 1] }]);
  // every product of a scale and a quant is exact in f32, so the one rounding, of a sum, leaves no choice
  const expected = spread(values, cols, padded(cols));
  expectClose(gpu, `${format.name} ${rows} x ${cols}`, await readFloats(gpu, out, count, 'f32'), expected, {
    absolute: LEAST_NORMAL,
  });
}

export const cases: readonly KernelCase[] = FORMATS.flatMap((format): KernelCase[] => [
  {
    name: `${format.name} unpacks to exactly what the format's definition gives`,
    async run(gpu, random) {
      const quantized = format.blockWeights > 1;
      for (const blocks of [1, 2, 3, 5]) {
        const cols = quantized ? blocks * format.blockWeights : random.pick([32, 33, 172, 64 * blocks - 1]);
        await unpacksExactly(gpu, randomWeights(format, random.integer(1, 9), cols, random));
      }
    },
  },
  {
    name: `${format.name} unpacks zero, subnormal, negative and the largest scales exactly`,
    async run(gpu, random) {
      let next = 0;
      const halves = format.name === 'f16' ? [...HALVES, 0x7bff, 0xfbff] : HALVES;
      const half = () => halves[next++ % halves.length] as number;
      const cols = format.blockWeights === 1 ? 96 : format.blockWeights;
      await unpacksExactly(gpu, randomWeights(format, 13, cols, random, half));
    },
  },
]);
