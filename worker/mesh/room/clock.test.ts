import { expect, test } from 'vitest';
import { AwakeClock } from './clock.ts';

test('time asleep does not count, and is told', () => {
  const clock = new AwakeClock();
  expect(clock.advance(1000)).toBe(false);
  expect(clock.advance(1250)).toBe(false);
  expect(clock.advance(61_250)).toBe(true);
  expect(clock.advance(61_500)).toBe(false);
  expect(clock.nowMs).toBe(500);
});

test('a clock that goes back stands', () => {
  const clock = new AwakeClock();
  clock.advance(1000);
  expect(clock.advance(400)).toBe(false);
  expect(clock.nowMs).toBe(0);
});
