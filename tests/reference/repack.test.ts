import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORMATS, fileBytes } from '../../worker/weights/formats/index.ts';
import type { FormatName, WeightFormat } from '../../worker/weights/types.ts';
import { fromHalf, toHalf } from '../kernels/half.ts';
import { HALF_OFFSETS } from '../kernels/weights.ts';
import { repack } from './repack.ts';

/** The file's blocks, put together again from planes by what the formats' comments say, bit by bit. */
type Inverse = (planes: readonly DataView[], rows: number, cols: number, blocks: Uint8Array) => void;

const inverses: Readonly<Record<FormatName, Inverse>> = {
  f32: values(4),
  f16: values(2),
  bf16: values(2),
  q8_0: ([quants, scales], rows, cols, blocks) => {
    eachUnit(rows, cols, (row, unit, units) => {
      const block = (row * units + unit) * 34;
      copyScale(scales, row * evenBytes(units) + unit * 2, blocks, block);
      for (let k = 0; k < 32; k++) {
        const vector = ((row * 2 + (k >> 4)) * units + unit) * 16;
        const byte = vector + ((k & 15) >> 2) * 4 + ([0, 2, 1, 3][k & 3] as number);
        blocks[block + 2 + k] = (quants as DataView).getUint8(byte) - 128;
      }
    });
  },
  q4_0: ([quants, scales], rows, cols, blocks) => {
    eachUnit(rows, cols, (row, unit, units) => {
      const block = (row * units + unit) * 18;
      copyScale(scales, row * evenBytes(units) + unit * 2, blocks, block);
      for (let k = 0; k < 32; k++) {
        blocks[block + 2 + (k & 15)] =
          (blocks[block + 2 + (k & 15)] as number) | (nibble(quants, row * units + unit, k) << (k < 16 ? 0 : 4));
      }
    });
  },
  q4_1: ([quants, scales], rows, cols, blocks) => {
    eachUnit(rows, cols, (row, unit, units) => {
      const block = (row * units + unit) * 20;
      copyScale(scales, (row * units + unit) * 4, blocks, block);
      copyScale(scales, (row * units + unit) * 4 + 2, blocks, block + 2);
      for (let k = 0; k < 32; k++) {
        blocks[block + 4 + (k & 15)] =
          (blocks[block + 4 + (k & 15)] as number) | (nibble(quants, row * units + unit, k) << (k < 16 ? 0 : 4));
      }
    });
  },
  q4_k: ([quants, scales], rows, cols, blocks) => {
    eachUnit(rows, cols, (row, unit, units) => {
      const superblock = (row * units + unit) >> 3;
      const block = superblock * 144;
      const j = unit & 7;
      const group = (row >> 2) * ((units / 8) * 4 + Math.ceil(units / 16)) * 16 + (row & 3) * 4;
      const header = group + (unit >> 3) * 64;
      const field = (f: number) =>
        ((scales as DataView).getUint32(header + 16 + Math.floor(f / 5) * 16, true) >>> ((f % 5) * 6)) & 63;
      copyScale(scales, header, blocks, block);
      copyScale(scales, header + 2, blocks, block + 2);
      const scale = field(j);
      const min =
        j < 7
          ? field(j + 8)
          : (scales as DataView).getUint16(group + (units / 8) * 64 + (unit >> 4) * 16 + ((unit >> 3) & 1) * 2, true);
      const at = block + 4;
      if (j < 4) {
        or(blocks, at + j, scale);
        or(blocks, at + j + 4, min);
      } else {
        or(blocks, at + j + 4, (scale & 15) | ((min & 15) << 4));
        or(blocks, at + j - 4, (scale >> 4) << 6);
        or(blocks, at + j, (min >> 4) << 6);
      }
      for (let k = 0; k < 32; k++) {
        or(blocks, block + 16 + 32 * (j >> 1) + k, nibble(quants, row * units + unit, k) << (j % 2 === 0 ? 0 : 4));
      }
    });
  },
  q6_k: ([quants, high, scales], rows, cols, blocks) => {
    eachUnit(rows, cols, (row, unit, units) => {
      const superblocks = units / 8;
      const block = ((row * units + unit) >> 3) * 210;
      const part = unit & 7;
      const rowScales = row * (superblocks * 16 + evenBytes(superblocks));
      for (let group = 0; group < 2; group++) {
        blocks[block + 192 + part * 2 + group] =
          (scales as DataView).getUint8(rowScales + (unit >> 1) * 4 + group * 2 + (unit & 1)) - 128;
      }
      copyScale(scales, rowScales + superblocks * 16 + (unit >> 3) * 2, blocks, block + 208);
      for (let k = 0; k < 32; k++) {
        const halfOf = (view: DataView | undefined, word: number) =>
          (view as DataView).getUint16(word * 4 + (k >> 4) * 2, true);
        const triple = (k >> 3) & 1;
        const a = halfOf(quants, (row * units + unit) * 4 + triple * 2);
        const b = halfOf(quants, (row * units + unit) * 4 + triple * 2 + 1);
        const c = halfOf(high, (row * units + unit) * 2 + triple);
        const eight = [a, a >> 6, b, b >> 6, c, c >> 6, (a >> 12) | ((b >> 8) & 48), (c >> 12) | ((b >> 10) & 48)];
        const q = (eight[k & 7] as number) & 63;
        const [side, quarter] = [part >> 2, part & 3];
        or(blocks, block + 64 * side + 32 * (quarter & 1) + k, (q & 15) << (quarter < 2 ? 0 : 4));
        or(blocks, block + 128 + 32 * side + k, (q >> 4) << (2 * quarter));
      }
    });
  },
};

function values(bytes: number): Inverse {
  return ([plane], rows, cols, blocks) => {
    const stride = Math.ceil(cols / 32) * 32 * bytes;
    for (let row = 0; row < rows; row++) copy(plane, row * stride, blocks, row * cols * bytes, cols * bytes);
  };
}

function eachUnit(rows: number, cols: number, visit: (row: number, unit: number, units: number) => void): void {
  for (let row = 0; row < rows; row++) for (let unit = 0; unit < cols / 32; unit++) visit(row, unit, cols / 32);
}

function evenBytes(halves: number): number {
  return Math.ceil(halves / 2) * 4;
}

function nibble(quants: DataView | undefined, unit: number, k: number): number {
  const word = (quants as DataView).getUint32(unit * 16 + ((k & 15) >> 2) * 4, true);
  const straight = (word >>> 2) | (word << 30); // words lie two bits round
  return (straight >>> ((k >> 4) * 4 + ((k & 3) >> 1) * 8 + (k & 1) * 16)) & 15;
}

function or(blocks: Uint8Array, at: number, bits: number): void {
  blocks[at] = (blocks[at] as number) | bits;
}

function copy(from: DataView | undefined, at: number, to: Uint8Array, toAt: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) to[toAt + i] = (from as DataView).getUint8(at + i);
}

/** A half of a plane of scales, which is the file's times 1024. */
function copyScale(from: DataView | undefined, at: number, to: Uint8Array, toAt: number): void {
  const half = toHalf(fromHalf((from as DataView).getUint16(at, true)) / 1024);
  to[toAt] = half & 255;
  to[toAt + 1] = half >> 8;
}

const shapes = (format: WeightFormat) =>
  fc.record({
    rows: fc.integer({ min: 1, max: 5 }),
    cols:
      format.blockWeights === 1
        ? fc.integer({ min: 1, max: 200 })
        : fc.integer({ min: 1, max: 5 }).map((n) => n * format.blockWeights),
    offset: fc.integer({ min: 0, max: 5 }),
    seed: fc.integer(),
  });

/** Any bits at all: repacking moves them, whatever they mean. Only scales are of those that a file has: less than 64. */
function anyBlocks(format: WeightFormat, bytes: number, seed: number): Uint8Array {
  let state = seed;
  const blocks = Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  });
  for (let at = 0; at < bytes; at += format.blockBytes) {
    for (const offset of HALF_OFFSETS[format.name] ?? []) {
      const high = blocks[at + offset + 1] as number;
      if (((high >> 2) & 31) > 20) blocks[at + offset + 1] = high & 0xaf; // exponents above 20 lose what makes them so
    }
  }
  return blocks;
}

describe.each(FORMATS)('$name in planes', (format) => {
  it('keeps every bit of the file, at whatever address the source starts', () => {
    fc.assert(
      fc.property(shapes(format), ({ rows, cols, offset, seed }) => {
        const bytes = fileBytes(format, rows, cols);
        const source = new Uint8Array(bytes + offset).subarray(offset);
        source.set(anyBlocks(format, bytes, seed));
        const planes = repack(format, source, rows, cols);
        const blocks = new Uint8Array(bytes);
        const views = planes.map((plane) => new DataView(plane.buffer, plane.byteOffset, plane.byteLength));
        inverses[format.name](views, rows, cols, blocks);
        expect(blocks).toEqual(Uint8Array.from(source));
      }),
    );
  });

  it('puts zeros where a row is padded', () => {
    fc.assert(
      fc.property(shapes(format), ({ rows, cols }) => {
        const planes = repack(format, new Uint8Array(fileBytes(format, rows, cols)), rows, cols);
        const expected = format.name === 'q8_0' || format.name === 'q6_k' ? [0, 0x80] : [0]; // signed bytes + 128
        for (const plane of planes) expect(expected).toEqual(expect.arrayContaining([...new Set(plane)]));
      }),
    );
  });
});
