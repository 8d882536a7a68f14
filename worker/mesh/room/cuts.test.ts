import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Attempts, NO_ATTEMPTS, validPositions, withAttempt } from './cuts.ts';

test('what is valid of an attempt is what all later ones kept, or less', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(500), { maxLength: 150 }), fc.nat(150), (keeps, at) => {
      let attempts: Attempts = NO_ATTEMPTS;
      keeps.forEach((keep, i) => {
        attempts = withAttempt(attempts, i + 1, keep);
      });
      const truth = Math.min(Number.POSITIVE_INFINITY, ...keeps.slice(at));
      const valid = validPositions(attempts, at);
      expect(attempts.kept.length).toBeLessThanOrEqual(64);
      if (at >= attempts.forgotten) expect(valid).toBe(truth);
      else expect(valid).toBe(0);
    }),
  );
});

test('a stage that slept through an edit keeps only what was before it', () => {
  let attempts = withAttempt(NO_ATTEMPTS, 1, 0);
  attempts = withAttempt(attempts, 2, 40); // the edit
  attempts = withAttempt(attempts, 3, 90);
  expect(validPositions(attempts, 1)).toBe(40);
  expect(validPositions(attempts, 2)).toBe(90);
  expect(validPositions(attempts, 3)).toBe(Number.POSITIVE_INFINITY);
});
