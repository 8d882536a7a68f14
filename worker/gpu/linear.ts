import type { Gpu, StorageType } from './device.ts';
import { matmulKernel } from './matmul.ts';
import { matvecKernel } from './matvec.ts';
import { type Linear, type LinearForm, type LinearKernel, type PartRows, shapeBuffer } from './product.ts';
import type { Dispatch } from './program.ts';

/** y = x times the transposed weight, plus bias, plus what y held: one dispatch a part of the weight. */
export function linear(gpu: Gpu, options: Linear): Dispatch[] {
  const { weight, x, y, bias } = options;
  return weight.parts.map((part) => {
    const { name, constants, about, shape, grid } = linearKernel(gpu.storage, options, part);
    const buffers = [...part.planes, x, y, shapeBuffer(gpu, shape), ...(bias === undefined ? [] : [bias])];
    return { kernel: gpu.kernels.get(name, constants, about), buffers, grid };
  });
}

/** Which kernel serves one part of a product, and how it is specialized. */
export function linearKernel(storage: StorageType, form: LinearForm, part: PartRows): LinearKernel {
  const { batch } = form;
  if (batch === 1 || batch === 2 || batch === 4) return matvecKernel(storage, form, part, batch);
  return matmulKernel(storage, form, part);
}
