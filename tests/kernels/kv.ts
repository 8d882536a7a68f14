/** Keys and values in pages as kernels find them, and what attention over them is in float64. */
import type { Gpu } from '../../worker/gpu/device.ts';
import { type KvShape, keptDims, kvBlockBytes } from '../../worker/gpu/kv.ts';
import { PAGE_POSITIONS } from '../../worker/gpu/step.ts';
import { fromHalf, type Random, readBytes, toHalf, upload } from './harness.ts';

/** Pages of `lengths.length` slots in shuffled order; what lies beyond a slot's length is NaN. */
export interface PagedKv {
  readonly pages: GPUBuffer;
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  /** Index of the first dimension of a position's head in `keyValues` and `valueValues`. */
  place(slot: number, position: number, kvHead: number): number;
  /** [page][kvHead][position][headSize], as they were rounded. */
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
  const keyBytes = encodeKv(gpu, shape, 'keys', keys);
  const valueBytes = encodeKv(gpu, shape, 'values', values);
  return {
    pages: upload(gpu, table, 'pages'),
    keys: upload(gpu, keyBytes, 'keys'),
    values: upload(gpu, valueBytes, 'values'),
    place,
    keyValues: decodeKv(gpu, shape, 'keys', keyBytes),
    valueValues: decodeKv(gpu, shape, 'values', valueBytes),
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

/** Bytes of the keys (or values) of so many pages in which nothing was written yet, every bit set: NaN. */
export function unwrittenKv(gpu: Gpu, shape: KvShape, pages: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(pages * shape.kvHeads * kvBlockBytes(gpu.storage, shape.kv, shape.headSize)).fill(0xff);
}

/** [page][kvHead][position][headSize] of keys or values, NaN where nothing was written. */
export async function readKv(
  gpu: Gpu,
  shape: KvShape,
  what: 'keys' | 'values',
  buffer: GPUBuffer,
  pages: number,
): Promise<Float32Array> {
  const bytes = await readBytes(gpu, buffer, unwrittenKv(gpu, shape, pages).length);
  return decodeKv(gpu, shape, what, new Uint8Array(bytes));
}

/** Where each number lies: see shaders/parts/pages.wgsl. */
function layout(gpu: Gpu, { kv, headSize }: KvShape, what: 'keys' | 'values') {
  const dims = keptDims(kv, headSize);
  const bytes = kv === 'q8' ? 1 : gpu.storage === 'f16' ? 2 : 4;
  const blockBytes = kvBlockBytes(gpu.storage, kv, headSize);
  // of four bytes the middle ones are exchanged
  const element = (d: number) => (kv === 'q8' ? [d, d + 1, d - 1, d][d % 4] : d) ?? 0;
  return {
    /** Of a dimension of a position, counted over all blocks. */
    number(position: number, d: number): number {
      const [block, i] = [Math.floor(position / PAGE_POSITIONS), position % PAGE_POSITIONS];
      const at = element(d) * bytes;
      const within =
        what === 'keys' ? (Math.floor(at / 16) * PAGE_POSITIONS + i) * 16 + (at % 16) : i * dims * bytes + at;
      return block * blockBytes + within;
    },
    /** What the bytes of a position mean. */
    units(position: number): number {
      const [block, i] = [Math.floor(position / PAGE_POSITIONS), position % PAGE_POSITIONS];
      return block * blockBytes + PAGE_POSITIONS * dims + i * 4;
    },
  };
}

function encodeKv(gpu: Gpu, shape: KvShape, what: 'keys' | 'values', numbers: Float32Array): Uint8Array<ArrayBuffer> {
  const { headSize, kv } = shape;
  const out = unwrittenKv(gpu, shape, numbers.length / (shape.kvHeads * PAGE_POSITIONS * headSize));
  const view = new DataView(out.buffer);
  const at = layout(gpu, shape, what);
  for (let position = 0; position < numbers.length / headSize; position++) {
    const head = numbers.subarray(position * headSize, (position + 1) * headSize);
    if (Number.isNaN(head[0])) continue;
    const units = unitsOf(head, what);
    if (kv === 'q8') view.setUint32(at.units(position), units.word, true);
    for (let d = 0; d < keptDims(kv, headSize); d++) {
      const x = head[d] ?? 0;
      const byte = at.number(position, d);
      if (kv === 'q8') out[byte] = Math.round((x - units.middle) / units.scale) + 128;
      else if (gpu.storage === 'f16') view.setUint16(byte, toHalf(x), true);
      else view.setFloat32(byte, x, true);
    }
  }
  return out;
}

/** As shaders/parts/byte_units.wgsl has them: a value's middle is 0. */
function unitsOf(head: Float32Array, what: 'keys' | 'values') {
  const largest = head.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const most = what === 'values' ? largest : Math.max(...head);
  const least = what === 'values' ? -largest : Math.min(...head);
  const middle = bitsOf((least + most) / 2) >>> 16;
  const reach = Math.max(most - floatOf(middle), floatOf(middle) - least, 1e-30);
  const scale = (bitsOf(reach / 127) + 0xffff) >>> 16;
  return unitsIn(((scale << 16) | middle) >>> 0);
}

function unitsIn(word: number) {
  return { word, scale: floatOf(word >>> 16), middle: floatOf(word & 0xffff) };
}

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
}

/** Of the upper half of an f32. */
function floatOf(upper: number): number {
  return new Float32Array(Uint32Array.of(upper << 16).buffer)[0] ?? 0;
}

function decodeKv(gpu: Gpu, shape: KvShape, what: 'keys' | 'values', bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const { headSize, kv } = shape;
  const view = new DataView(bytes.buffer);
  const at = layout(gpu, shape, what);
  const positions = (bytes.length / kvBlockBytes(gpu.storage, kv, headSize)) * PAGE_POSITIONS;
  return Float32Array.from({ length: positions * headSize }, (_, i) => {
    const [position, d] = [Math.floor(i / headSize), i % headSize];
    const byte = at.number(position, d);
    if (kv === 'q8') {
      const { middle, scale } = unitsIn(view.getUint32(at.units(position), true));
      return middle + scale * ((bytes[byte] ?? 0) - 128);
    }
    return gpu.storage === 'f16' ? fromHalf(view.getUint16(byte, true)) : view.getFloat32(byte, true);
  });
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
