/** Keys and values in pages as kernels find them, and what attention over them is in float64. */
import type { Gpu } from '../../worker/gpu/device.ts';
import { PAGE_POSITIONS } from '../../worker/gpu/step.ts';
import { type Random, upload, uploadStorage } from './harness.ts';

export interface KvShape {
  readonly kvHeads: number;
  readonly headSize: number;
  readonly pagesPerSlot: number;
}

/** Pages of `lengths.length` slots in shuffled order; what lies beyond a slot's length is NaN. */
export interface PagedKv {
  readonly pages: GPUBuffer;
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  /** Element index of the first dimension of a position's head. */
  place(slot: number, position: number, kvHead: number): number;
  readonly keyValues: Float32Array;
  readonly valueValues: Float32Array;
}

export function pagedKv(gpu: Gpu, random: Random, shape: KvShape, lengths: readonly number[]): PagedKv {
  const { kvHeads, headSize, pagesPerSlot } = shape;
  const table = shuffledPages(random, lengths.length * pagesPerSlot);
  const place = (slot: number, position: number, kvHead: number) => placeOf(table, shape, slot, position, kvHead);
  const count = table.length * kvHeads * PAGE_POSITIONS * headSize;
  const keys = new Float32Array(count).fill(Number.NaN);
  const values = new Float32Array(count).fill(Number.NaN);
  lengths.forEach((length, slot) => {
    for (let position = 0; position < length; position++) {
      for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
        const at = place(slot, position, kvHead);
        for (let d = 0; d < headSize; d++) {
          keys[at + d] = random.float(2);
          values[at + d] = random.float(2);
        }
      }
    }
  });
  const keyBuffer = uploadStorage(gpu, keys, 'keys');
  const valueBuffer = uploadStorage(gpu, values, 'values');
  return {
    pages: upload(gpu, table, 'pages'),
    keys: keyBuffer.buffer,
    values: valueBuffer.buffer,
    place,
    keyValues: keyBuffer.values,
    valueValues: valueBuffer.values,
  };
}

export function shuffledPages(random: Random, count: number): Uint32Array<ArrayBuffer> {
  const pages = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [pages[i], pages[j]] = [pages[j] ?? 0, pages[i] ?? 0];
  }
  return pages;
}

export function placeOf(table: Uint32Array, shape: KvShape, slot: number, position: number, kvHead: number): number {
  const page = table[slot * shape.pagesPerSlot + Math.floor(position / PAGE_POSITIONS)] ?? 0;
  return ((page * shape.kvHeads + kvHead) * PAGE_POSITIONS + (position % PAGE_POSITIONS)) * shape.headSize;
}

/** One head of one row: softmax(scale q.k) v over positions `first` to `last` of the slot. */
export function attend(
  kv: PagedKv,
  q: Float32Array,
  from: { readonly slot: number; readonly kvHead: number; readonly first: number; readonly last: number },
  scale: number,
): Float64Array {
  const { slot, kvHead, first, last } = from;
  const scores: number[] = [];
  for (let position = first; position <= last; position++) {
    const at = kv.place(slot, position, kvHead);
    let score = 0;
    for (let d = 0; d < q.length; d++) score += (q[d] ?? 0) * (kv.keyValues[at + d] ?? 0);
    scores.push(score * scale);
  }
  const largest = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  const out = new Float64Array(q.length);
  weights.forEach((weight, i) => {
    const at = kv.place(slot, first + i, kvHead);
    for (let d = 0; d < q.length; d++) out[d] = (out[d] ?? 0) + (weight / total) * (kv.valueValues[at + d] ?? 0);
  });
  return out;
}
