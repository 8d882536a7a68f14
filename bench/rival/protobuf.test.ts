import { describe, expect, it } from 'vitest';
import { encode } from './protobuf.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('protobuf', () => {
  it('encodes as the format’s own guide does', () => {
    expect(hex(encode([[1, 150]]))).toBe('089601');
    expect(hex(encode([[2, 'testing']]))).toBe('120774657374696e67');
    expect(hex(encode([[3, [[1, 150]]]]))).toBe('1a03089601');
    expect(hex(encode([[1, -2]]))).toBe(`08fe${'ff'.repeat(8)}01`);
    expect(hex(encode([[5, { float: 1 }]]))).toBe('2d0000803f');
  });
});
