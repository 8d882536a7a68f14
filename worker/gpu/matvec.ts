import { aboutProduct } from './about.ts';
import type { StorageType } from './device.ts';
import {
  type LinearForm,
  type LinearKernel,
  linearConstants,
  linearShape,
  outputColumns,
  type PartRows,
} from './product.ts';
import type { Grid } from './program.ts';

/** Rows of the weight that a workgroup of linear_vector takes. */
const VECTOR_ROWS = 8;

/** The product of one part with 1, 2 or 4 rows: each weight is unpacked once for all of them. */
export function matvecKernel(storage: StorageType, form: LinearForm, part: PartRows): LinearKernel {
  const grid: Grid = [Math.ceil(outputColumns(form.weight, part) / VECTOR_ROWS), 1, 1];
  const constants = { ...linearConstants(storage, form), batch: form.batch };
  const about = aboutProduct(form.weight.format, form.batch);
  return { name: 'linear_vector', constants, about, shape: linearShape(form, part), grid };
}
