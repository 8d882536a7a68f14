import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AskFirst, laterAskFirst, MAX_ASK_FIRST_CHANGE, setAskFirst } from './ask-first.ts';

const any: fc.Arbitrary<AskFirst> = fc.record({
  askFirst: fc.boolean(),
  askFirstChange: fc.oneof(fc.nat(3), fc.integer({ min: MAX_ASK_FIRST_CHANGE - 2, max: MAX_ASK_FIRST_CHANGE })),
});

test('members agree whatever they hear, in whichever order, however often', () => {
  fc.assert(
    fc.property(any, any, any, (a, b, c) => {
      expect(laterAskFirst(a, b)).toEqual(laterAskFirst(b, a));
      expect(laterAskFirst(laterAskFirst(a, b), c)).toEqual(laterAskFirst(a, laterAskFirst(b, c)));
      expect(laterAskFirst(a, a)).toEqual(a);
    }),
  );
});

test('who sets it last is followed; of two who set it at the same time the one who asks', () => {
  const start = { askFirst: true, askFirstChange: 0 };
  const off = setAskFirst(start, false);
  expect(laterAskFirst(start, off)).toEqual({ askFirst: false, askFirstChange: 1 });
  const on = setAskFirst(off, true);
  expect(laterAskFirst(off, on)).toEqual({ askFirst: true, askFirstChange: 2 });
  // one who did not hear of that, switches it off and on
  const late = setAskFirst(setAskFirst(off, true), false);
  expect(laterAskFirst(on, late).askFirst).toBe(false);
  expect(laterAskFirst(setAskFirst(on, false), { askFirst: true, askFirstChange: 3 }).askFirst).toBe(true);
  expect(setAskFirst(start, true)).toBe(start);
});

test('a number that cannot rise any more leaves asking on', () => {
  const last = { askFirst: false, askFirstChange: MAX_ASK_FIRST_CHANGE };
  const on = setAskFirst(last, true);
  expect(laterAskFirst(last, on).askFirst).toBe(true);
  expect(setAskFirst(on, false)).toEqual(on);
});
