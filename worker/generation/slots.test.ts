import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_POSITIONS } from '../gpu/step.ts';
import { type Slot, Slots } from './slots.ts';

const CONTEXT_PAGES = 4;

function open(slots: number, pages: number) {
  const tables = new Map<number, readonly number[]>();
  const contextTokens = CONTEXT_PAGES * PAGE_POSITIONS;
  const setPages = (slot: number, list: readonly number[]) => void tables.set(slot, list);
  return { slots: new Slots({ slots, pages, contextTokens, setPages }), tables };
}

describe('slots', () => {
  it('keep an idle session until its room is needed, and take the longest unused first', () => {
    const { slots } = open(2, 8);
    for (const session of ['a', 'b']) slots.release(slots.take(session, 1) as Slot);
    slots.release(slots.take('a', 1) as Slot);
    const third = slots.take('c', 1);
    expect(third?.index).toBe(1);
    expect(slots.of('a')?.index).toBe(0);
    expect(slots.of('b')).toBeUndefined();
  });

  it('refuse when those in use leave no slot or no pages, and a newcomer then has no slot', () => {
    const { slots } = open(2, 4);
    const first = slots.take('a', 3 * PAGE_POSITIONS) as Slot;
    expect(slots.take('b', 2 * PAGE_POSITIONS)).toBeUndefined();
    expect(slots.of('b')).toBeUndefined();
    expect(slots.take('b', PAGE_POSITIONS)).toBeDefined();
    expect(slots.take('c', 0)).toBeUndefined();
    expect(slots.reserve(first, 4 * PAGE_POSITIONS)).toBe(false);
    slots.truncate(first, PAGE_POSITIONS + 1);
    expect(first.pages).toHaveLength(2);
  });

  it('never give more pages than the context has', () => {
    const { slots } = open(1, 8);
    expect(slots.take('a', 1e9)?.pages).toHaveLength(CONTEXT_PAGES);
  });

  it('know a slot that was freed no more', () => {
    const { slots } = open(1, 4);
    const slot = slots.take('a', 1) as Slot;
    slots.free(slot);
    expect(() => slots.truncate(slot, 0)).toThrow(/another session/);
  });

  it('give no page to two sessions, lose none, and take nothing from a session in use', () => {
    const session = fc.integer({ min: 0, max: 4 }).map(String);
    const positions = fc.integer({ min: 0, max: (CONTEXT_PAGES + 1) * PAGE_POSITIONS });
    const act = fc.record({
      kind: fc.constantFrom('take', 'reserve', 'truncate', 'release', 'free'),
      session,
      positions,
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const { slots, tables } = open(3, 7);
        const inUse = new Map<string, Slot>();
        for (const { kind, session, positions } of acts) {
          const slot = slots.of(session);
          const before = slot?.pages ?? [];
          if (kind === 'take') {
            const taken = slots.take(session, positions);
            if (taken !== undefined) inUse.set(session, taken);
            if (taken !== undefined && taken === slot) expect(taken.pages.slice(0, before.length)).toEqual(before);
          } else if (slot !== undefined && kind === 'reserve') slots.reserve(slot, positions);
          else if (slot !== undefined && kind === 'truncate') slots.truncate(slot, positions);
          else if (slot !== undefined && kind === 'release') {
            slots.release(slot);
            inUse.delete(session);
          } else if (slot !== undefined) {
            slots.free(slot);
            inUse.delete(session);
          }
          for (const [session, slot] of inUse) expect(slots.of(session)).toBe(slot);
          const held = ['0', '1', '2', '3', '4'].flatMap((name) => slots.of(name) ?? []);
          const pages = held.flatMap(({ pages }) => pages);
          expect(new Set(pages).size).toBe(pages.length);
          expect(new Set(held.map(({ index }) => index)).size).toBe(held.length);
          for (const { index, pages } of held) expect((tables.get(index) ?? []).slice(0, pages.length)).toEqual(pages);
        }
        for (const name of ['0', '1', '2', '3', '4']) {
          const slot = slots.of(name);
          if (slot !== undefined) slots.free(slot);
        }
        const all = ['x', 'y'].flatMap(
          (name) => slots.take(name, name === 'x' ? 4 * PAGE_POSITIONS : 3 * PAGE_POSITIONS)?.pages ?? [],
        );
        expect([...all].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
      }),
    );
  });
});
