import { describe, expect, it } from 'vitest';
import { dequantize } from '../reference/dequantize.ts';
import { ggmlTypeOf, quantize, TYPES, type TypeName } from './quantize.ts';
import { Random } from './random.ts';

/** Root mean square error over the weights' deviation that each type can reach on normal weights, rounded up. */
const ERRORS: Readonly<Record<TypeName, number>> = {
  F32: 0,
  F16: 3e-4,
  BF16: 2.5e-3,
  Q8_0: 0.008,
  Q4_0: 0.12,
  Q4_1: 0.1,
  Q4_K: 0.1,
  Q6_K: 0.03,
};

describe('the encoders of conformance checkpoints', () => {
  for (const type of TYPES) {
    it(`${type} blocks hold the weights as well as the type can`, () => {
      const weights = new Random(7).normals(256 * 64, 0.05);
      const back = dequantize(ggmlTypeOf(type), quantize(type, weights));
      let squares = 0;
      for (let i = 0; i < weights.length; i++) squares += ((back[i] as number) - (weights[i] as number)) ** 2;
      const error = Math.sqrt(squares / weights.length) / 0.05;
      expect(error).toBeLessThanOrEqual(ERRORS[type]);
    });
  }

  it('keeps a block of zeros', () => {
    for (const type of TYPES) {
      expect([...dequantize(ggmlTypeOf(type), quantize(type, new Float32Array(256)))].every((x) => x === 0)).toBe(true);
    }
  });
});
