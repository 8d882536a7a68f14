import { InternalError } from '../errors.ts';
import { aboutProduct } from './about.ts';
import type { Gpu } from './device.ts';
import { type KvType, kvConstants } from './kv.ts';
import { VECTOR_OUTPUTS, type VectorBatch, type VectorProduct, vectorConstants } from './matvec.ts';
import { outputColumns, shapeBuffer } from './product.ts';
import type { Dispatch } from './program.ts';
import type { RopePairing } from './rope.ts';
import { padded, UNIT } from './step.ts';
import type { GpuTensor, JoinedTensor, TensorPart } from './tensor.ts';

/** A uniform buffer holds so much on every device, bytes. */
const UNIFORM_BYTES = 64 * 1024;
/** Threads of a workgroup on every device. */
const MAX_HEAD_SIZE = 256;

interface FusedProduct {
  /** `batch` rows of activations, see row.ts. */
  readonly x: GPUBuffer;
  readonly batch: VectorBatch;
}

/** The loop's constants, the epilogue's file, and the first two bindings behind the planes. */
function loopConstants(gpu: Gpu, epilogue: string, product: Omit<VectorProduct, 'storage'>) {
  const xBinding = product.format.planes.length;
  const loop = vectorConstants({ storage: gpu.storage, ...product });
  return { ...loop, epilogue: `epilogues/${epilogue}`, xBinding, shapeBinding: xBinding + 1 };
}

// ---------- onto the residual ----------

export interface ResidualProduct extends FusedProduct {
  readonly weight: GpuTensor;
  /** f32, as many as the weight has rows. */
  readonly bias?: GPUBuffer;
  /** f32 rows, padded(rows) columns apart: what is added to. */
  readonly hidden: GPUBuffer;
  /** Where another norm and a product follow. */
  readonly next?: {
    /** f32 weights of the norm. */
    readonly norm: GPUBuffer;
    /** Rows of activations: what hidden becomes, times these weights, not yet divided. */
    readonly output: GPUBuffer;
  };
}

/** hidden += x times the transposed weight (plus bias), and the rows that the product behind the next norm takes. */
export function residualProduct(gpu: Gpu, product: ResidualProduct): Dispatch[] {
  const { weight, x, batch, bias, hidden, next } = product;
  const loop = loopConstants(gpu, 'residual', {
    format: weight.format,
    cols: weight.cols,
    batch,
    outputs: VECTOR_OUTPUTS,
  });
  const first = loop.shapeBinding + 1;
  const constants = {
    ...loop,
    next: next !== undefined,
    bias: bias !== undefined,
    hiddenBinding: first,
    outputBinding: first + 1,
    normBinding: first + 2,
    biasBinding: next === undefined ? first + 1 : first + 3,
  };
  const kernel = gpu.kernels.get('matvec', constants, aboutProduct(weight.format, batch));
  return weight.parts.map((part) => {
    const columns = outputColumns(weight, part);
    const biasStart = (weight.biasStart ?? 0) + part.rowStart;
    const stride = padded(weight.rows);
    const units = padded(weight.cols) / UNIT;
    const shape = [units, part.rows, columns, part.rowStart, stride, part.planeRow, batch, biasStart];
    const after = [...(next ? [next.output, next.norm] : []), ...(bias ? [bias] : [])];
    const buffers = [...part.planes, x, shapeBuffer(gpu, shape), hidden, ...after];
    return { kernel, buffers, grid: [Math.ceil(columns / VECTOR_OUTPUTS), 1, 1] };
  });
}

// ---------- gate and up ----------

export interface GatedProduct extends FusedProduct {
  /** Gate and up, paired. */
  readonly weight: JoinedTensor;
  /** f32, of gate, then of up. */
  readonly bias?: GPUBuffer;
  /** Rows of activations, as many columns as gate has rows. */
  readonly output: GPUBuffer;
  readonly eps: number;
}

/** silu(gate) * up of rows x that are to be divided by their root mean square. */
export function gatedProduct(gpu: Gpu, { weight, x, batch, bias, output, eps }: GatedProduct): Dispatch[] {
  const size = weight.rows / 2;
  const loop = loopConstants(gpu, 'gated', {
    format: weight.format,
    cols: weight.cols,
    batch,
    outputs: 2 * VECTOR_OUTPUTS,
  });
  const first = loop.shapeBinding + 1;
  const constants = {
    ...loop,
    columns: weight.cols,
    eps,
    bias: bias !== undefined,
    upBias: size,
    outputBinding: first,
    biasBinding: first + 1,
  };
  const kernel = gpu.kernels.get('matvec', constants, aboutProduct(weight.format, batch));
  return weight.parts.map(({ rowStart, rows, planes }) => {
    const [start, count] = [rowStart / 2, rows / 2];
    const columns = start + count === size ? padded(size) - start : count;
    const shape = [padded(weight.cols) / UNIT, count, columns, start, padded(size), 0, batch, start];
    const buffers = [...planes, x, shapeBuffer(gpu, shape), output, ...(bias ? [bias] : [])];
    return { kernel, buffers, grid: [Math.ceil(columns / VECTOR_OUTPUTS), 1, 1] };
  });
}

// ---------- queries, keys and values ----------

export interface QkvShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly rotaryDims: number;
  readonly pairing: RopePairing;
}

/** Which of queries, keys and values a joined tensor has, in this order. */
export type QkvKind = 'q' | 'k' | 'v';

export interface QkvProduct extends FusedProduct, QkvShape {
  /** One for each format that they come in. */
  readonly weights: readonly { readonly tensor: JoinedTensor; readonly kinds: readonly QkvKind[] }[];
  /** f32, of all queries, then keys, then values. */
  readonly bias?: GPUBuffer;
  /** Weights of an RMS norm over each head, f32, headSize of them; both or none. */
  readonly qNorm?: GPUBuffer;
  readonly kNorm?: GPUBuffer;
  readonly eps: number;
  /** Rows of activations: [heads][headSize]. */
  readonly q: GPUBuffer;
  /** See RopeKv. */
  readonly rope: GPUBuffer;
  readonly step: GPUBuffer;
  readonly pages: GPUBuffer;
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  readonly pagesPerSlot: number;
  readonly kv: KvType;
}

/** Whether queries, keys and values of such heads can be computed by one product and all that follows it. */
export function fusesQkv({ heads, kvHeads, headSize, rotaryDims, pairing }: QkvShape): boolean {
  const turnsInEights = pairing === 'adjacent' || rotaryDims % 8 === 0;
  const biasBytes = (heads + 2 * kvHeads) * headSize * 4;
  return headSize % 8 === 0 && headSize <= MAX_HEAD_SIZE && turnsInEights && biasBytes <= UNIFORM_BYTES;
}

/**
 * Queries, keys and values of rows x that are to be divided by their root mean square: normed a head where there are
 * weights for it, turned by their positions, keys and values filed.
 */
export function qkvProduct(gpu: Gpu, product: QkvProduct): Dispatch[] {
  return product.weights.flatMap(({ tensor, kinds }) => {
    const fits = storageBuffers(tensor, kinds) <= gpu.limits.storageBuffers;
    const views = fits
      ? [{ view: tensor, kinds }]
      : tensor.members.map((view, i) => ({ view, kinds: kinds.slice(i, i + 1) }));
    return views.flatMap(({ view, kinds }) => view.parts.map((part) => qkvPart(gpu, product, view, part, kinds)));
  });
}

/** Planes, x, and of q, rotations, pages, keys and values what such a product binds; the rest are uniforms. */
function storageBuffers({ format }: GpuTensor, kinds: readonly QkvKind[]): number {
  const [q, k, v] = [kinds.includes('q'), kinds.includes('k'), kinds.includes('v')].map(Number) as [
    number,
    number,
    number,
  ];
  return format.planes.length + 1 + q + k + v + (q | k) + (k | v);
}

function qkvPart(
  gpu: Gpu,
  product: QkvProduct,
  { format, cols }: GpuTensor,
  { rowStart, rows, planes, planeRow }: TensorPart,
  kinds: readonly QkvKind[],
): Dispatch {
  const { x, batch, bias, qNorm, kNorm, heads, kvHeads, headSize, eps, kv } = product;
  const counts = { q: heads, k: kvHeads, v: kvHeads };
  const wholeHead = qNorm !== undefined || (kv === 'q8' && (kinds.includes('k') || kinds.includes('v')));
  const outputs = wholeHead ? headSize : VECTOR_OUTPUTS;
  const loop = loopConstants(gpu, 'qkv', { format, cols, batch, outputs });
  const has = (kind: QkvKind) => kinds.includes(kind);
  // every other buffer, where this kernel has it
  const wanted = [
    ['step', product.step, true],
    ['query', product.q, has('q')],
    ['rope', product.rope, has('q') || has('k')],
    ['pages', product.pages, has('k') || has('v')],
    ['keys', product.keys, has('k')],
    ['values', product.values, has('v')],
    ['bias', bias, bias !== undefined],
    ['queryNorm', qNorm, has('q') && qNorm !== undefined],
    ['keyNorm', kNorm, has('k') && kNorm !== undefined],
  ] as const;
  const bound = wanted.flatMap(([name, buffer, used]) => (used && buffer !== undefined ? [{ name, buffer }] : []));
  const bindings = Object.fromEntries(
    bound.map(({ name }, i) => [`${name}Binding`, loop.shapeBinding + 1 + i] as const),
  );
  const constants = {
    ...loop,
    ...kvConstants(product),
    q8: kv === 'q8' && (has('k') || has('v')), // queries alone are kept nowhere
    ...bindings,
    columns: cols,
    eps,
    heads,
    queryHeads: has('q') ? counts.q : 0,
    keyHeads: has('k') ? counts.k : 0,
    rotaryDims: product.rotaryDims,
    pairing: product.pairing,
    wholeHead,
    headNorm: qNorm !== undefined,
    queries: has('q'),
    keys: has('k'),
    values: has('v'),
    turning: has('q') || has('k'),
    paged: has('k') || has('v'),
    bias: bias !== undefined,
    biasQuads: ((heads + 2 * kvHeads) * headSize) / 4,
    headQuads: headSize / 4,
  };
  if (rowStart % headSize !== 0) throw new InternalError('A part of queries, keys and values begins inside a head.');
  const shape = [padded(cols) / UNIT, rows, rows, rowStart, 0, planeRow, batch, 0];
  return {
    kernel: gpu.kernels.get('matvec', constants, aboutProduct(format, batch)),
    buffers: [...planes, x, shapeBuffer(gpu, shape), ...bound.map(({ buffer }) => buffer)],
    grid: [rows / outputs, 1, 1],
  };
}
