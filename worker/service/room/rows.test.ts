import { expect, it } from 'vitest';
import { packStates, payloads, unpackStates } from './rows.ts';

const values = (...all: number[]) => Float32Array.from(all);

it('states that f16 holds travel so, others as they are', () => {
  const small = packStates(values(1, -2.5, 65_504, 0), 'f16');
  expect([small.type, small.bytes.length]).toEqual(['f16', 8]);
  expect(unpackStates(small, 2, 2)).toEqual(values(1, -2.5, 65_504, 0));
  for (const large of [65_536, -1e9, Number.POSITIVE_INFINITY, Number.NaN]) {
    const rows = packStates(values(1, large), 'f16');
    expect(rows.type).toBe('f32');
    expect(unpackStates(rows, 1, 2)).toEqual(values(1, large));
  }
  expect(packStates(values(1), 'f32').type).toBe('f32');
});

it('rows of one width are cut and joined, also where some are wider', () => {
  const one = packStates(values(1, 2, 3, 4), 'f16');
  const two = packStates(values(1e6, 6), 'f16');
  const parts = [payloads.slice(one, 1, 2, 2), two, payloads.slice(one, 0, 1, 2)];
  const joined = payloads.join(parts);
  expect(unpackStates(joined, 3, 2)).toEqual(values(3, 4, 1e6, 6, 1, 2));
  const alike = payloads.join([one, payloads.slice(one, 0, 1, 2)]);
  expect(alike.type).toBe('f16');
  expect(unpackStates(alike, 3, 2)).toEqual(values(1, 2, 3, 4, 1, 2));
});

it('what is of another model is refused', () => {
  expect(unpackStates(packStates(values(1, 2, 3), 'f16'), 1, 4)).toBeUndefined();
  expect(unpackStates({ type: 'u32', bytes: new Uint8Array(16) }, 1, 4)).toBeUndefined();
});
