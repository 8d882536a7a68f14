import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_CONNECTING, Places, type Unproved } from './places.ts';

const answered = (peer: string): Unproved => ({ side: 'answered', peer });
const called = (peer: string): Unproved => ({ side: 'called', peer });
const peers = (connections: readonly Unproved[] | undefined) => connections?.map(({ peer }) => peer);
const many = (peer: string, count: number) => Array.from({ length: count }, (_, i) => answered(`${peer}${i}`));

describe('of unproved connections', () => {
  test('one of an address gives way to its next, and takes no place of others', () => {
    const places = new Places();
    expect(peers(places.yield([answered('a'), answered('b')], 'b'))).toEqual(['b']);
    expect(peers(places.yield([answered('a'), ...many('x', 7)], 'a'))).toEqual(['a']);
    // a call of this device to there is another matter
    expect(peers(places.yield([called('a')], 'a'))).toEqual([]);
  });

  test('the oldest of a stranger gives way to any other, and none of a member to a stranger', () => {
    const places = new Places();
    places.know(['member']);
    const full = [called('x'), answered('member'), ...many('stranger', 6)];
    for (const caller of ['another', 'member2', undefined])
      expect(peers(places.yield(full, caller))).toEqual(['stranger0']);
    places.know(full.map(({ peer }) => peer));
    expect(places.yield(full, 'another')).toBeUndefined();
    places.know(['another']);
    expect(peers(places.yield(full, 'another'))).toEqual(['member']);
    expect(peers(places.yield(full))).toEqual(['member']);
  });

  test('a call of this device always gets its place, beside three more', () => {
    const places = new Places();
    const three = [called('a'), called('b'), called('c')];
    places.know(many('member', 5).map(({ peer }) => peer));
    expect(places.yield([...three, ...many('member', 5)])).toHaveLength(1);
  });

  test('no more than eight are left, whoever calls, and nobody is displaced for nothing', () => {
    const name = fc.constantFrom(...'abcdefghijklmnop');
    fc.assert(
      fc.property(fc.array(name, { maxLength: 200 }), fc.array(name, { maxLength: 4 }), (callers, members) => {
        const places = new Places();
        places.know(members);
        let unproved: readonly Unproved[] = [];
        for (const caller of callers) {
          const ends = places.yield(unproved, caller);
          if (!ends) {
            expect(members).not.toContain(caller);
            continue;
          }
          for (const { peer } of ends)
            expect(peer === caller || !members.includes(peer) || members.includes(caller)).toBe(true);
          if (unproved.length < MAX_CONNECTING) expect(ends.every(({ peer }) => peer === caller)).toBe(true);
          unproved = [...unproved.filter((each) => !ends.includes(each)), answered(caller)];
          expect(unproved.length).toBeLessThanOrEqual(MAX_CONNECTING);
          expect(new Set(peers(unproved)).size).toBe(unproved.length);
        }
        // who was called by a member holds its place
        for (const member of members) if (callers.includes(member)) expect(peers(unproved)).toContain(member);
      }),
    );
  });

  test('the latest 64 addresses of members are remembered', () => {
    const places = new Places();
    places.know(Array.from({ length: 70 }, (_, i) => `m${i}`));
    const full = [...many('m', 7), answered('m6')];
    // m0 to m5 are forgotten
    expect(peers(places.yield(full, 'stranger'))).toEqual(['m0']);
    expect(places.yield(Array(8).fill(answered('m6')), 'stranger')).toBeUndefined();
  });
});
