import { describe, expect, it } from 'vitest';
import { compareLogits, failuresOf, TOLERANCES } from './compare.ts';

const row = (...logits: number[]) => Float32Array.from(logits);
const reference = [row(4, 1, 0, -4), row(-2, 3, 2.999, 0)];

describe('comparing logits', () => {
  it('finds nothing between equals, and their entropy', () => {
    const comparison = compareLogits([row(0, 0, 0, 0)], [row(0, 0, 0, 0)], TOLERANCES.f32);
    expect(comparison).toMatchObject({ positions: 1, kl: 0, entropyShare: 1, greedyAgreement: 1 });
    expect(failuresOf(compareLogits(reference, reference, TOLERANCES.f32), TOLERANCES.f32)).toEqual([]);
  });

  it('measures divergence as computed by hand', () => {
    // p = (3/4, 1/4), q = (1/2, 1/2)
    const { kl } = compareLogits([row(Math.log(3), 0)], [row(0, 0)], TOLERANCES.f32);
    expect(kl).toBeCloseTo(0.75 * Math.log(1.5) + 0.25 * Math.log(0.5), 6);
  });

  it('measures the worst logit against the range at its position', () => {
    const { logitError } = compareLogits(
      reference,
      [row(4, 1, 0.08, -4), reference[1] as Float32Array],
      TOLERANCES.f32,
    );
    expect(logitError).toBeCloseTo(0.01, 6);
  });

  it('sees logits that are all off by one: raw logits are compared', () => {
    const moved = reference.map((logits) => logits.map((logit) => logit + 1));
    const comparison = compareLogits(reference, moved, TOLERANCES.f32);
    expect(comparison.kl).toBeLessThan(TOLERANCES.f32.kl);
    expect(failuresOf(comparison, TOLERANCES.f32)).toHaveLength(1);
  });

  it('asks for the same first token only where the reference is decided', () => {
    const swappedClose = [reference[0] as Float32Array, row(-2, 2.999, 3, 0)];
    expect(compareLogits(reference, swappedClose, TOLERANCES.f32)).toMatchObject({ decided: 1, greedyAgreement: 1 });
    const swappedFar = [row(1, 4, 0, -4), reference[1] as Float32Array];
    expect(compareLogits(reference, swappedFar, TOLERANCES.f32)).toMatchObject({ decided: 1, greedyAgreement: 0 });
  });

  it('fails what is not a number or infinite', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const broken = [row(4, bad, 0, -4), reference[1] as Float32Array];
      expect(failuresOf(compareLogits(reference, broken, TOLERANCES.f16), TOLERANCES.f16).length).toBeGreaterThan(1);
    }
  });

  it('refuses other positions or another vocabulary', () => {
    expect(() => compareLogits(reference, reference.slice(1), TOLERANCES.f32)).toThrow(RangeError);
    expect(() => compareLogits([row(1, 2)], [row(1, 2, 3)], TOLERANCES.f32)).toThrow(RangeError);
  });
});
