import { expect, it } from 'vitest';
import { philox2x32 } from './philox.ts';

it('Philox gives the known answers that its authors publish', () => {
  // Random123's kat_vectors, philox2x32 with 10 rounds
  expect(philox2x32(0, 0, 0)).toEqual([0xff1dae59, 0x6cd10df2]);
  expect(philox2x32(0xffffffff, 0xffffffff, 0xffffffff)).toEqual([0x2c3f628b, 0xab4fd7ad]);
  expect(philox2x32(0x13198a2e, 0x243f6a88, 0x85a308d3)).toEqual([0xdd7ce038, 0xf62a4c12]);
});
