import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CallOrder } from './call-order.ts';

const randomFrom = (seed: number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

describe('whom to call of those that are listed', () => {
  test('everybody comes, however many dead ones are listed before, and whatever is listed in between', () => {
    const cases = fc.record({
      dead: fc.integer({ min: 0, max: 60 }),
      most: fc.integer({ min: 1, max: 8 }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(cases, ({ dead, most, seed }) => {
        const order = new CallOrder(randomFrom(seed));
        const listed = [...Array.from({ length: dead }, (_, i) => `dead${i}`), 'alive'];
        const called = new Set<string>();
        for (let turn = 0; turn < Math.ceil(listed.length / most); turn++) {
          order.list(listed);
          for (const address of order.next(most)) called.add(address);
        }
        expect(called).toEqual(new Set(listed));
      }),
    );
  });

  test('who was not tried yet comes first, at random among equals', () => {
    const firsts = new Set<string>();
    for (let seed = 1; seed <= 200; seed++) {
      const order = new CallOrder(randomFrom(seed * 7919));
      order.list(['a', 'b', 'c']);
      firsts.add(order.next(1)[0] ?? '');
      order.next(2);
      order.list(['a', 'b', 'c', 'new']);
      expect(order.next(1)).toEqual(['new']);
    }
    expect(firsts).toEqual(new Set(['a', 'b', 'c']));
  });

  test('none are chosen where there is room for none', () => {
    const order = new CallOrder(Math.random);
    order.list(['a']);
    expect(order.next(0)).toEqual([]);
    expect(order.next(-3)).toEqual([]);
  });
});
