import type { TensorFormat } from './tensor.ts';

/** What a kernel is for, as data for those who list and judge kernels; nothing is computed from it. */
export interface KernelAbout {
  /** Whatever reads weights to multiply them is one of the first three, also when it does more. */
  readonly role: 'matvec' | 'matvec-batch' | 'matmul' | 'attention-decode' | 'attention-prefill' | 'other';
  /** Of the weights. */
  readonly format?: string;
  /** Planes with the weights' own bits, scales and minima apart. */
  readonly planes?: readonly { readonly binding: number; readonly bits: number }[];
  /** Rows of activations that it computes at once. */
  readonly rows?: number;
  /** Rows of activations and of weights that a workgroup covers. */
  readonly tile?: readonly [rows: number, columns: number];
  readonly headSize?: number;
}

/**
 * Of a product with a weight whose planes are bound from `binding` on.
 * @param rows rows of activations; of a tiled product those of a tile
 * @param tile rows of activations and of weights, of a tiled product
 */
export function aboutProduct(
  format: TensorFormat,
  rows: number,
  tile?: KernelAbout['tile'],
  binding = 0,
): KernelAbout & { readonly planes: NonNullable<KernelAbout['planes']> } {
  const role = tile !== undefined ? 'matmul' : rows === 1 ? 'matvec' : 'matvec-batch';
  const planes = format.planes
    .map(({ name, bits }, i) => ({ name, binding: binding + i, bits }))
    .filter(({ name }) => name !== 'scales')
    .map(({ binding, bits }) => ({ binding, bits }));
  return { role, format: format.name, planes, rows, ...(tile === undefined ? {} : { tile }) };
}
