/** Rows of activations with their tails (worker/gpu/row.ts), as kernels take and leave them. */
import type { Gpu } from '../../worker/gpu/device.ts';
import { rowLayout } from '../../worker/gpu/row.ts';
import { expectClose, fromHalf, poisoned, readBytes, spread, type Tolerance, toHalf, upload } from './harness.ts';

export interface Rows {
  /** Of each row all columns, padding included. */
  readonly values: Float32Array<ArrayBuffer>;
  /** Of each row and eight of columns. */
  readonly sums: Float32Array<ArrayBuffer>;
  readonly squares: Float32Array<ArrayBuffer>;
  /** Of each row. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/**
 * Rows of `cols` values each, with the sums of what they are rounded to.
 * @param more what only some products read: a scale a row, squares an eight
 */
export function uploadRows(
  gpu: Gpu,
  values: Float32Array,
  cols: number,
  more: { readonly scales?: Float32Array; readonly squares?: Float32Array } = {},
): { readonly buffer: GPUBuffer; readonly values: Float32Array<ArrayBuffer> } {
  const layout = rowLayout(gpu.storage, cols);
  const batch = values.length / cols;
  const whole = spread(values, cols, layout.columns);
  const kept = gpu.storage === 'f16' ? Float32Array.from(whole, (x) => fromHalf(toHalf(x))) : whole;
  const eights = layout.columns / 8;
  const bytes = new ArrayBuffer(batch * layout.stride);
  for (let row = 0; row < batch; row++) {
    const at = row * layout.stride;
    const own = kept.subarray(row * layout.columns, (row + 1) * layout.columns);
    if (gpu.storage === 'f16') new Uint16Array(bytes, at, layout.columns).set(own.map(toHalf));
    else new Float32Array(bytes, at, layout.columns).set(own);
    new Float32Array(bytes, at + layout.sums, eights).set(sumsOf(own));
    new Float32Array(bytes, at + layout.scale, 1)[0] = more.scales?.[row] ?? 1;
    const squares =
      more.squares?.subarray(row * eights, (row + 1) * eights) ?? new Float32Array(eights).fill(Number.NaN);
    new Float32Array(bytes, at + layout.squares, eights).set(squares);
  }
  return { buffer: upload(gpu, new Uint8Array(bytes), 'rows'), values: kept };
}

export function poisonedRows(gpu: Gpu, batch: number, cols: number): GPUBuffer {
  return poisoned(gpu, (batch * rowLayout(gpu.storage, cols).stride) / 4, 'u32', 'rows');
}

export async function readRows(gpu: Gpu, buffer: GPUBuffer, batch: number, cols: number): Promise<Rows> {
  const { columns, sums, scale, squares, stride } = rowLayout(gpu.storage, cols);
  const bytes = await readBytes(gpu, buffer, batch * stride);
  const floats = (row: number, at: number, count: number) => [...new Float32Array(bytes, row * stride + at, count)];
  const of = (part: (row: number) => Iterable<number>) =>
    Float32Array.from(Array.from({ length: batch }, (_, row) => [...part(row)]).flat());
  const half = gpu.storage === 'f16';
  return {
    values: of((row) =>
      half ? Array.from(new Uint16Array(bytes, row * stride, columns), fromHalf) : floats(row, 0, columns),
    ),
    sums: of((row) => floats(row, sums, columns / 8)),
    scales: of((row) => floats(row, scale, 1)),
    squares: of((row) => floats(row, squares, columns / 8)),
  };
}

/** Values close to what is expected, and the tail's sums exactly those of the values as they were stored. */
export function expectRows(
  gpu: Gpu,
  what: string,
  rows: Rows,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
): void {
  expectClose(gpu, what, rows.values, expected, tolerance);
  const sums = sumsOf(rows.values);
  const absolute = 1e-6 * Math.max(1e-3, ...rows.values.map(Math.abs));
  expectClose(gpu, `${what}: sums of eights`, rows.sums, sums, { relative: 1e-6, absolute });
}

function sumsOf(values: Float32Array): Float64Array {
  return Float64Array.from({ length: values.length / 8 }, (_, i) =>
    values.subarray(i * 8, i * 8 + 8).reduce((sum, x) => sum + x, 0),
  );
}
