import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type WriterInput, writeGguf } from '../../tests/setup/gguf-writer.ts';
import { ModelError, ShoalError } from '../errors.ts';
import { ggmlType } from './ggml-types.ts';
import { readGgufHeader } from './gguf.ts';
import type { Checkpoint, RangeReader, StringTable } from './types.ts';

const signal = new AbortController().signal;

function reader(file: Uint8Array, log: number[] = []): RangeReader {
  return async (start, end) => {
    expect(start).toBeLessThan(end);
    expect(end).toBeLessThanOrEqual(file.length);
    log.push(end);
    return file.slice(start, end);
  };
}

const open = (file: Uint8Array, size = file.length) => readGgufHeader(reader(file), size, signal);

const data = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => (i * 37 + 11) & 255);

const small: WriterInput = {
  metadata: {
    'general.architecture': 'llama',
    'tokenizer.ggml.tokens': ['a', 'ß', '', '日本', '\u{1F600}'],
    'tokenizer.ggml.scores': new Float32Array([1, -2.5, 0, 3, 4]),
    'tokenizer.ggml.token_type': new Int32Array([1, 3, -1, 6, 2]),
    'llama.block_count': 2,
  },
  tensors: [
    { name: 'token_embd.weight', shape: [32, 5], ggmlType: 8, data: data(5 * 34) },
    { name: 'blk.0.ffn_up.weight', shape: [256, 2], ggmlType: 12, data: data(2 * 144) },
    { name: 'output_norm.weight', shape: [32], ggmlType: 0, data: data(128) },
    { name: 'three', shape: [4, 3, 2], ggmlType: 1, data: data(48) },
  ],
};

describe('a well-formed GGUF header', () => {
  it('gives metadata of every value type', async () => {
    const file = writeGguf({
      metadata: {
        u8: { type: 'u8', value: 200 },
        i8: { type: 'i8', value: -100 },
        u16: { type: 'u16', value: 60_000 },
        i16: { type: 'i16', value: -30_000 },
        u32: { type: 'u32', value: 4_000_000_000 },
        i32: { type: 'i32', value: -2_000_000_000 },
        f32: { type: 'f32', value: 0.5 },
        f64: { type: 'f64', value: 0.1 },
        u64: { type: 'u64', value: 2n ** 63n },
        i64: { type: 'i64', value: -(2n ** 62n) },
        yes: true,
        no: false,
        text: 'grüße',
        'a.u8': { type: 'array', of: 'u8', value: [1, 255] },
        'a.i8': { type: 'array', of: 'i8', value: [1, -1] },
        'a.u16': { type: 'array', of: 'u16', value: [65_535] },
        'a.i16': { type: 'array', of: 'i16', value: [-1] },
        'a.u32': new Uint32Array([1, 2 ** 32 - 1]),
        'a.i32': new Int32Array([-1]),
        'a.f32': new Float32Array([0.25, -1]),
        'a.f64': { type: 'array', of: 'f64', value: [0.1] },
        'a.u64': { type: 'array', of: 'u64', value: [2n ** 64n - 1n] },
        'a.i64': { type: 'array', of: 'i64', value: [-5n] },
        'a.bool': { type: 'array', of: 'bool', value: [true, false] },
        'a.none': { type: 'array', of: 'string', value: [] },
      },
      tensors: [],
    });
    const { metadata } = await open(file);
    const plain = Object.fromEntries([...metadata].filter(([key]) => !key.startsWith('a.none')));
    expect(plain).toEqual({
      u8: 200,
      i8: -100,
      u16: 60_000,
      i16: -30_000,
      u32: 4_000_000_000,
      i32: -2_000_000_000,
      f32: 0.5,
      f64: 0.1,
      u64: 2n ** 63n,
      i64: -(2n ** 62n),
      yes: true,
      no: false,
      text: 'grüße',
      'a.u8': new Uint8Array([1, 255]),
      'a.i8': new Int8Array([1, -1]),
      'a.u16': new Uint16Array([65_535]),
      'a.i16': new Int16Array([-1]),
      'a.u32': new Uint32Array([1, 2 ** 32 - 1]),
      'a.i32': new Int32Array([-1]),
      'a.f32': new Float32Array([0.25, -1]),
      'a.f64': new Float64Array([0.1]),
      'a.u64': new BigUint64Array([2n ** 64n - 1n]),
      'a.i64': new BigInt64Array([-5n]),
      'a.bool': new Uint8Array([1, 0]),
    });
    expect((metadata.get('a.none') as StringTable).length).toBe(0);
  });

  it.each([2, 3] as const)('places tensors where their data lies, version %i', async (version) => {
    const file = writeGguf({ ...small, version });
    const { tensors, headerBytes } = await open(file);
    expect([...tensors.keys()]).toEqual(small.tensors.map((tensor) => tensor.name));
    for (const tensor of small.tensors) {
      const info = tensors.get(tensor.name);
      if (!info) throw new Error(tensor.name);
      expect(info.bytes).toBe(tensor.data.length);
      expect(file.subarray(info.offset, info.offset + info.bytes)).toEqual(tensor.data);
      expect(info.shape).toEqual(tensor.shape);
      expect(info.cols * info.rows).toBe(tensor.shape.reduce((a, b) => a * b, 1));
    }
    expect(tensors.get('three')).toMatchObject({ cols: 4, rows: 6, format: 'f16' });
    expect(headerBytes).toBe(tensors.get('token_embd.weight')?.offset);
  });

  it('keeps strings in one table that outlives the pieces read', async () => {
    const { metadata } = await open(writeGguf(small));
    const tokens = metadata.get('tokenizer.ggml.tokens') as StringTable;
    expect(Array.from({ length: tokens.length }, (_, i) => tokens.get(i))).toEqual(
      small.metadata['tokenizer.ggml.tokens'],
    );
    expect(tokens.bytes(3)).toEqual(new TextEncoder().encode('日本'));
    expect(() => tokens.get(5)).toThrow(RangeError);
  });

  it('follows general.alignment', async () => {
    const file = writeGguf({ ...small, metadata: { ...small.metadata, 'general.alignment': 4096 } });
    const { headerBytes, tensors } = await open(file);
    expect(headerBytes).toBe(4096);
    expect(tensors.get('blk.0.ffn_up.weight')?.offset).toBe(8192);
  });

  it('is read in pieces that end soon after it, for a vocabulary of 150,000', async () => {
    const words = Array.from({ length: 150_000 }, (_, i) => `token number ${i}`);
    const body = new Uint8Array(32 * 1024 * 1024);
    const file = writeGguf({
      metadata: { 'tokenizer.ggml.tokens': words },
      tensors: [{ name: 'w', shape: [1024, 8192], ggmlType: 0, data: body }],
    });
    const ends: number[] = [];
    const { headerBytes, metadata } = await readGgufHeader(reader(file, ends), file.length, signal);
    expect((metadata.get('tokenizer.ggml.tokens') as StringTable).get(149_999)).toBe('token number 149999');
    expect(Math.max(...ends)).toBeLessThan(headerBytes + 4 * 1024 * 1024);
    expect(ends.length).toBeLessThan(10);
  });

  it('stops when the caller asks', async () => {
    const abort = new AbortController();
    abort.abort();
    const file = writeGguf(small);
    await expect(readGgufHeader(reader(file), file.length, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a GGUF header that cannot be used', () => {
  const refused = async (file: Uint8Array, size = file.length) => {
    const error = await open(file, size).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ModelError);
    return (error as ModelError).message;
  };
  const patched = (at: number, bytes: readonly number[], from = writeGguf(small)) => {
    const file = from.slice();
    file.set(bytes, at);
    return file;
  };
  const huge = [255, 255, 255, 255, 255, 255, 255, 255];

  it('names what other files are', async () => {
    expect(await refused(new TextEncoder().encode('<!doctype html>'))).toMatch(/web page/);
    expect(await refused(new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'))).toMatch(/Git LFS/);
    expect(await refused(new Uint8Array([255, 7, 254, 65]))).toMatch(/starts with "\?\?\?A"/);
    expect(await refused(new Uint8Array(2))).toMatch(/no GGUF file: it has 2 bytes/);
    expect(await refused(patched(4, [0, 0, 0, 3]))).toMatch(/big-endian/);
    expect(await refused(patched(4, [1, 0, 0, 0]))).toMatch(/version 1; Shoal reads versions 2 and 3/);
  });

  it('names a tensor of a type not computed with, and what is supported', async () => {
    const q5 = { name: 'blk.1.attn_v.weight', shape: [32, 1], ggmlType: 6, data: data(22) };
    const message = await refused(writeGguf({ metadata: {}, tensors: [q5] }));
    expect(message).toMatch(/"blk\.1\.attn_v\.weight" has type Q5_0/);
    expect(message).toContain('F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K');
    expect(await refused(writeGguf({ metadata: {}, tensors: [{ ...q5, ggmlType: 99 }] }))).toMatch(/unknown type 99/);
  });

  it('says how many bytes are missing', async () => {
    const file = writeGguf(small);
    const { tensors } = await open(file);
    const last = tensors.get('three');
    if (!last) throw new Error('three');
    const needed = last.offset + last.bytes;
    expect(await refused(file.subarray(0, needed - 1))).toContain(`needs ${needed} bytes, has ${needed - 1}`);
    await open(file.subarray(0, needed));
  });

  it('refuses a wrong shape', async () => {
    const one = (shape: number[], ggmlType: number, bytes: number) =>
      writeGguf({ metadata: {}, tensors: [{ name: 'w', shape, ggmlType, data: data(bytes) }] });
    expect(await refused(one([33, 2], 8, 68))).toMatch(/rows of 33 weights; Q8_0 needs a multiple of 32/);
    expect(await refused(one([128, 2], 12, 144))).toMatch(/Q4_K needs a multiple of 256/);
    expect(await refused(one([0, 2], 0, 0))).toMatch(/impossible shape 0 x 2/);
    expect(await refused(one([], 0, 4))).toMatch(/0 dimensions/);
    expect(await refused(one([1, 1, 1, 1, 1], 0, 4))).toMatch(/5 dimensions/);
    const vast = { name: 'w', shape: [2 ** 40, 2 ** 40], ggmlType: 0, data: data(4) };
    expect(await refused(writeGguf({ metadata: {}, tensors: [vast] }))).toMatch(/impossible shape/);
  });

  it('refuses overlapping, unaligned and repeated tensors', async () => {
    const two = (name: string) =>
      writeGguf({
        metadata: {},
        tensors: ['aa', name].map((each) => ({ name: each, shape: [16], ggmlType: 0, data: data(64) })),
      });
    expect(await refused(two('aa'))).toMatch(/comes twice/);
    const offsetAt = 24 + 2 * (8 + 2 + 4 + 8 + 4 + 8) - 8;
    expect(await refused(patched(offsetAt, [32], two('bb')))).toMatch(/"aa" and "bb" overlap/);
    expect(await refused(patched(offsetAt, [65], two('bb')))).toMatch(/starts at 65, not a multiple of 32/);
    expect(await refused(patched(offsetAt, [0, 255, 255, 255, 255, 255, 255, 255], two('bb')))).toMatch(/truncated/);
  });

  it('does not believe counts and lengths that the file cannot hold', async () => {
    const reads: number[] = [];
    for (const at of [8, 16, 24]) {
      const file = patched(at, huge);
      const attempt = readGgufHeader(reader(file, reads), file.length, signal);
      await expect(attempt).rejects.toThrow(/claims 18446744073709551615/);
    }
    expect(await refused(patched(8, [0, 0, 1]))).toMatch(/65536 tensors need/);
    const array = (count: number[], of: number) => {
      const file = writeGguf({ metadata: { a: { type: 'array', of: 'u8', value: [] } }, tensors: [] });
      const typeAt = 24 + 8 + 1 + 4;
      return patched(typeAt, [of, 0, 0, 0, ...count], file);
    };
    expect(await refused(array(huge, 0))).toMatch(/claims/);
    expect(await refused(array([0, 0, 64], 8))).toMatch(/claims|need/);
    expect(await refused(array([1], 9))).toMatch(/array of arrays/);
    expect(await refused(array([1], 77))).toMatch(/array of type 77/);
  });

  it('does not allocate what a lying count in a large file asks for', async () => {
    const header = writeGguf({ metadata: { a: { type: 'array', of: 'f32', value: [] } }, tensors: [] });
    const file = patched(24 + 8 + 1 + 4 + 4, [0, 0, 0, 64], header);
    const endless: RangeReader = async (start, end) => {
      const piece = new Uint8Array(end - start);
      piece.set(file.subarray(start, Math.min(end, file.length)));
      return piece;
    };
    await expect(readGgufHeader(endless, 2 ** 40, signal)).rejects.toThrow(/claims 1073741824 values/);
    const zeros: RangeReader = async (start, end) => {
      const piece = new Uint8Array(end - start);
      piece.set(patched(16, [255, 255], writeGguf({ metadata: {}, tensors: [] })).subarray(start, end));
      return piece;
    };
    await expect(readGgufHeader(zeros, 2 ** 40, signal)).rejects.toBeInstanceOf(ModelError);
  });

  it('refuses one part of a split model, repeated keys, odd alignments and unknown value types', async () => {
    const count = { type: 'u16', value: 3 } as const;
    expect(await refused(writeGguf({ metadata: { 'split.count': count }, tensors: [] }))).toMatch(/one of 3 parts/);
    expect(
      await refused(writeGguf({ metadata: { 'general.alignment': { type: 'f32', value: 32 } }, tensors: [] })),
    ).toMatch(/alignment/);
    const keys = writeGguf({ metadata: { k1: 1, k2: 2 }, tensors: [] });
    const secondKey = 24 + (8 + 2 + 4 + 4) + 8;
    expect(await refused(patched(secondKey, [107, 49], keys))).toMatch(/"k1" comes twice/);
    expect(await refused(patched(24 + 8 + 2, [13], keys))).toMatch(/unknown type 13/);
    for (const alignment of [48, 2 ** 31]) {
      const named = writeGguf({ metadata: { 'general.alignment': 32 }, tensors: [] });
      const at = 24 + 8 + 'general.alignment'.length + 4;
      const value = new Uint8Array(new Uint32Array([alignment]).buffer);
      expect(await refused(patched(at, [...value], named))).toMatch(/power of two/);
    }
  });

  it('fails when the reader gives less than it promised', async () => {
    const file = writeGguf(small);
    const short: RangeReader = async (start, end) => file.slice(start, Math.max(start, end - 9));
    await expect(readGgufHeader(short, file.length, signal)).rejects.toThrow(/truncated/);
  });
});

describe('fuzzed GGUF headers', () => {
  const header = writeGguf(small);

  /** Any outcome but a clear error or a consistent checkpoint is a failure. */
  async function outcome(file: Uint8Array): Promise<void> {
    let budget = 100 * 1024 * 1024;
    const counted: RangeReader = async (start, end) => {
      budget -= end - start;
      if (budget < 0) throw new Error('read without end');
      return file.slice(start, end);
    };
    let checkpoint: Checkpoint;
    try {
      checkpoint = await readGgufHeader(counted, file.length, signal);
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error;
      expect(error.message.length).toBeLessThan(600);
      return;
    }
    expect(checkpoint.headerBytes).toBeLessThanOrEqual(file.length);
    for (const tensor of checkpoint.tensors.values()) {
      expect(tensor.offset + tensor.bytes).toBeLessThanOrEqual(file.length);
      expect(tensor.bytes).toBeGreaterThan(0);
    }
  }

  it('cut at any length give a clear error or a valid result', async () => {
    for (let length = 0; length < header.length; length++) await outcome(header.subarray(0, length));
  });

  it('with any bytes changed give a clear error or a valid result', async () => {
    const change = fc.tuple(fc.nat(header.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255)));
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 8 }),
        fc.nat(header.length),
        async (changes, cut) => {
          const file = header.slice();
          for (const [at, byte] of changes) file[at] = byte;
          await outcome(cut < header.length / 4 ? file.subarray(0, header.length - cut) : file);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('with a 64-bit field replaced give a clear error or a valid result', async () => {
    const field = fc.oneof(
      fc.bigInt(0n, 2n ** 64n - 1n),
      fc.constantFrom(2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(header.length - 8), field, async (at, value) => {
        const file = header.slice();
        new DataView(file.buffer).setBigUint64(at, value, true);
        await outcome(file);
      }),
      { numRuns: 2000 },
    );
  });

  it('of random bytes after the magic give a clear error or a valid result', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.constantFrom(2, 3), async (bytes, version) => {
        await outcome(new Uint8Array([71, 71, 85, 70, version, 0, 0, 0, ...bytes]));
      }),
      { numRuns: 2000 },
    );
  });

  it('of random content survive a round trip', async () => {
    const key = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' });
    const metadata = fc.dictionary(
      key.filter((name) => name !== 'general.alignment' && name !== 'split.count' && name !== '__proto__'),
      fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.boolean(),
        fc.integer(),
        fc.bigInt(0n, 2n ** 64n - 1n),
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })).map((values) => Int32Array.from(values)),
      ),
    );
    await fc.assert(
      fc.asyncProperty(metadata, async (written) => {
        const { metadata: found } = await open(writeGguf({ metadata: written, tensors: [] }));
        expect(found.size).toBe(Object.keys(written).length);
        for (const [name, value] of Object.entries(written)) {
          const got = found.get(name);
          if (Array.isArray(value)) {
            const table = got as StringTable;
            expect(Array.from({ length: table.length }, (_, i) => table.get(i))).toEqual(value);
          } else {
            expect(got).toEqual(value);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

it('block sizes agree with the names of the types', () => {
  const bits = (id: number) => {
    const type = ggmlType(id);
    if (!type) throw new Error(String(id));
    return (type.blockBytes * 8) / type.blockWeights;
  };
  expect([0, 1, 2, 3, 8, 12, 14, 30].map(bits)).toEqual([32, 16, 4.5, 5, 8.5, 4.5, 6.5625, 16]);
});

const models = process.env.SHOAL_TEST_MODELS;
describe.skipIf(!models)('SmolLM2 (needs SHOAL_TEST_MODELS)', () => {
  it('is read as its publisher describes it', async () => {
    const file = new Uint8Array(await readFile(join(models ?? '', 'SmolLM2-135M-Instruct.Q4_1.gguf')));
    const { metadata, tensors, headerBytes } = await open(file);
    expect(metadata.get('general.architecture')).toBe('llama');
    expect(metadata.get('llama.block_count')).toBe(30);
    expect((metadata.get('tokenizer.ggml.tokens') as StringTable).length).toBe(49_152);
    const formats = [...tensors.values()].map((tensor) => tensor.format);
    expect(formats.filter((format) => format === 'q4_1')).toHaveLength(210);
    expect(formats.filter((format) => format === 'f32')).toHaveLength(61);
    const bytes = [...tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
    expect(headerBytes + bytes).toBe(file.length);
  });
});
