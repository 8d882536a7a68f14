import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { dequantize, TENSOR_TYPES } from './dequantize.ts';

const FIXTURES = new URL('fixtures/scales/', import.meta.url);
const WITH_SCALES = [...TENSOR_TYPES.values()].filter(({ blockWeights }) => blockWeights > 1);

describe('the reference converter, for zero, subnormal, negative and the largest scales', () => {
  it.each(WITH_SCALES)("reads $name blocks as PyPI's gguf.quants does", async ({ name, ggmlType, blockWeights }) => {
    const blocks = await readFile(new URL(`${name.toLowerCase()}.blocks.bin`, FIXTURES));
    const wanted = await readFile(new URL(`${name.toLowerCase()}.values.bin`, FIXTURES));
    const values = Array.from({ length: wanted.length / 4 }, (_, i) => wanted.readFloatLE(i * 4));
    expect(values.length).toBe(12 * blockWeights);
    // the sign of a zero follows the order of operations, and no sum depends on it
    expect([...dequantize(ggmlType, blocks)].map((value) => value + 0)).toEqual(values.map((value) => value + 0));
  });
});
