import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { dequantize, TENSOR_TYPES } from './dequantize.ts';

const FIXTURES = new URL('fixtures/quants/', import.meta.url);

describe('the reference converter', () => {
  for (const { name, ggmlType } of TENSOR_TYPES.values()) {
    it(`reads ${name} blocks as PyPI's gguf.quants does, bit for bit`, async () => {
      const blocks = await readFile(new URL(`${name.toLowerCase()}.blocks.bin`, FIXTURES));
      const wanted = new Uint8Array(await readFile(new URL(`${name.toLowerCase()}.values.bin`, FIXTURES)));
      const values = dequantize(ggmlType, blocks);
      expect(wanted.length).toBe(4 * 1024);
      // bits are compared, so that -0 is not 0
      expect([...new Uint32Array(values.buffer)]).toEqual([...new Uint32Array(wanted.buffer)]);
    });
  }

  it('refuses half a block and an unknown type', () => {
    expect(() => dequantize(8, new Uint8Array(33))).toThrow(RangeError);
    expect(() => dequantize(99, new Uint8Array(32))).toThrow(RangeError);
  });
});
