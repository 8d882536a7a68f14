import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHalves, fromHalvesByHand, toHalves, toHalvesByHand } from './halves.ts';

/** The definition: sign, a power of two, eleven bits of significand. */
function defined(half: number): number {
  const sign = half >= 0x8000 ? -1 : 1;
  const exponent = Math.floor((half % 0x8000) / 1024);
  const fraction = half % 1024;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? (fraction / 1024) * 2 ** -14 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const ALL = Uint16Array.from({ length: 0x10000 }, (_, half) => half);
const roundOne = (value: number) => toHalvesByHand(Float32Array.of(value))[0] as number;
const nextFloat = (value: number, by: number) => {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] as number) + by; // away from zero for either sign
  return new Float32Array(bits.buffer)[0] as number;
};

describe('halves', () => {
  test('each of the 65536 has the value of its definition', () => {
    const values = fromHalvesByHand(ALL);
    for (const half of ALL) {
      if (!Object.is(values[half], defined(half))) throw new Error(`${half}: ${values[half]}, not ${defined(half)}`);
    }
  });

  test('each comes back from its value, except that not-a-number is one', () => {
    const back = toHalvesByHand(fromHalvesByHand(ALL));
    for (const half of ALL) {
      const expected = Number.isNaN(defined(half)) ? 0x7e00 : half;
      if (back[half] !== expected) throw new Error(`${half} came back as ${back[half]}`);
    }
  });

  test('between any two neighbours the nearer is taken, and the even one from the middle', () => {
    for (const sign of [0, 0x8000]) {
      for (let low = 0; low < 0x7c00; low++) {
        const high = low + 1;
        // the step after the largest half would end at 65536
        const end = high === 0x7c00 ? 65536 : defined(high);
        const middle = ((defined(low) + end) / 2) * (sign ? -1 : 1);
        const even = low % 2 === 0 ? low : high;
        const rounded = [nextFloat(middle, -1), middle, nextFloat(middle, 1)].map(roundOne);
        // a comparison of its own: `expect` for each of these takes seconds
        if (rounded[0] !== (sign | low) || rounded[1] !== (sign | even) || rounded[2] !== (sign | high))
          throw new Error(`around ${middle}: ${rounded}`);
      }
    }
  });

  test('any float goes to the nearest half', () => {
    const finite = Array.from(ALL).filter((half) => Number.isFinite(defined(half)));
    const sorted = finite.map(defined).sort((a, b) => a - b);
    fc.assert(
      fc.property(fc.float({ min: -65503, max: 65503, noNaN: true }), (value) => {
        const rounded = defined(roundOne(value));
        const at = sorted.findIndex((half) => half >= value);
        const best = Math.min(...sorted.slice(Math.max(0, at - 1), at + 1).map((half) => Math.abs(half - value)));
        expect(Math.abs(rounded - value)).toBe(best);
      }),
    );
  });

  test('the way that this engine takes gives the same', () => {
    const values = fromHalves(ALL);
    const byHand = fromHalvesByHand(ALL);
    const numbers = values.filter((value) => !Number.isNaN(value));
    const back = toHalvesByHand(numbers);
    expect(values.every((value, i) => Object.is(value, byHand[i]))).toBe(true);
    expect(toHalves(numbers).every((half, i) => half === back[i])).toBe(true);
  });
});
