import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Roster, RosterEntry, Tombstone } from '../types.ts';
import {
  chainOf,
  MAX_MEMBERS,
  MAX_SIGNED,
  MAX_TOMBSTONES,
  membershipOf,
  RESERVED_TOMBSTONES,
  RosterRoom,
  rosterDigest,
  unite,
} from './roster.ts';
import { add, plainEntry, plainRoster, plainTombstone } from './test-room.ts';

const devices = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const device = fc.constantFrom(...devices);
const entry = fc
  .tuple(device, fc.integer({ min: 0, max: 6 }), device)
  .map(([one, rank, by]): RosterEntry => plainEntry(one, rank, by));
const tombstone = fc
  .tuple(device, device, fc.uniqueArray(device, { maxLength: 3 }))
  .map(([by, one, keeps]): Tombstone => plainTombstone(by, one, keeps));
const roster = fc
  .tuple(fc.array(entry, { maxLength: 40 }), fc.array(tombstone, { maxLength: 12 }))
  .map(([entries, tombstones]): Roster => plainRoster(...entries, ...tombstones));

function membersOf(of: Roster): string[] {
  return membershipOf(of).members.map((member) => member.device);
}

describe('rosters unite', () => {
  it('the same in any order and however often', () => {
    fc.assert(
      fc.property(roster, roster, roster, (one, two, three) => {
        expect(unite(one, two)).toEqual(unite(two, one));
        expect(unite(unite(one, two), three)).toEqual(unite(one, unite(two, three)));
        expect(unite(one, one)).toEqual(one);
        expect(unite(unite(one, two), one)).toEqual(unite(one, two));
        expect(rosterDigest(unite(one, two))).toBe(rosterDigest(unite(two, one)));
      }),
    );
  });

  it('and the digest tells one entry more', () => {
    const one = plainRoster(plainEntry('b', 1, 'a'));
    expect(rosterDigest(one)).not.toBe(rosterDigest(add(one, plainEntry('c', 2, 'b'))));
    expect(rosterDigest(one)).not.toBe(rosterDigest(add(one, plainTombstone('a', 'b'))));
  });
});

describe('a member', () => {
  it('is who entries of rising rank lead to from the maker', () => {
    const whole = plainRoster(plainEntry('b', 1, 'a'), plainEntry('c', 2, 'b'), plainEntry('d', 3, 'c'));
    expect(membersOf(whole)).toEqual(['a', 'b', 'c', 'd']);
    expect(chainOf(membershipOf(whole), 'd').map((one) => one.device)).toEqual(['d', 'c', 'b', 'a']);
    expect(chainOf(membershipOf(whole), 'x')).toEqual([]);
    expect(membersOf(plainRoster(plainEntry('c', 2, 'b')))).toEqual(['a']);
    // a second maker, and two that let each other in
    expect(membersOf(plainRoster(plainEntry('b', 0, 'b'), plainEntry('c', 1, 'd'), plainEntry('d', 2, 'c')))).toEqual([
      'a',
    ]);
  });

  it('comes after who let it in, whatever rank that one gave it', () => {
    const ranks = [plainEntry('c', 5, 'a'), plainEntry('x', 0, 'c'), plainEntry('d', 6, 'a')];
    expect(membersOf(plainRoster(...ranks))).toEqual(['a', 'c', 'd', 'x']);
    const mutual = [plainTombstone('x', 'd'), plainTombstone('d', 'x')];
    expect(membersOf(plainRoster(...ranks, ...mutual))).toEqual(['a', 'c', 'd']);
  });

  it('is one of 64 at most, those who were here first', () => {
    const many = Array.from({ length: 80 }, (_, at) => plainEntry(`device ${at}`, at + 1, 'a'));
    expect(membersOf(plainRoster(...many)).slice(-2)).toEqual(['device 61', 'device 62']);
    expect(membersOf(plainRoster(...many))).toHaveLength(MAX_MEMBERS);
    expect(membershipOf(plainRoster(...many)).out).toEqual([]);
  });

  it('always has a chain of members or removed ones to the maker', () => {
    fc.assert(
      fc.property(roster, (any) => {
        const membership = membershipOf(any);
        for (const { device: one } of membership.members) {
          const chain = chainOf(membership, one);
          expect(chain[0]?.device).toBe(one);
          expect(chain.at(-1)).toMatchObject({ device: 'a', by: 'a' });
          chain.slice(1).forEach((below, at) => {
            expect(chain[at]?.by).toBe(below.device);
          });
          expect(membership.standing(one)).toBe('member');
          expect(membership.out).not.toContain(one);
        }
      }),
    );
  });
});

/** The rule of docs/protocol.md word for word: the order is found anew for each signer. */
function membersByTheRule(of: Roster): string[] {
  const holding: Tombstone[] = [];
  const isRemoved = (one: string) => holding.some((tombstone) => tombstone.device === one);
  const order = () => {
    const found = new Map<string, number>();
    const isKept = (one: RosterEntry) =>
      !isRemoved(one.by) ||
      holding.some((tombstone) => tombstone.device === one.by && tombstone.keeps.includes(one.device));
    for (;;) {
      const reached = of.entries
        .filter((one) => one.device !== one.by && found.has(one.by) && !found.has(one.device) && isKept(one))
        .map((one) => ({ device: one.device, rank: Math.max(one.rank, (found.get(one.by) ?? 0) + 1) }));
      if (found.size === 0) reached.push({ device: of.maker, rank: 0 });
      const [next] = reached.sort((a, b) => a.rank - b.rank || (a.device < b.device ? -1 : 1));
      if (!next) return [...found.keys()];
      found.set(next.device, next.rank);
    }
  };
  const dealt = new Set<string>();
  for (;;) {
    const next = order().find(
      (one) => !isRemoved(one) && !dealt.has(one) && of.tombstones.some(({ by }) => by === one),
    );
    if (next === undefined) return order().filter((one) => !isRemoved(one));
    dealt.add(next);
    holding.push(...of.tombstones.filter(({ by }) => by === next));
  }
}

describe('what a signer may add', () => {
  const first = Array.from({ length: 10 }, (_, at) => plainEntry(`m${at}`, at + 1, 'a'));

  it('is 64 entries and 64 tombstones, whether they come at once or one by one', () => {
    const [whole, mine] = [plainRoster(...first), (at: number) => plainEntry(`x${at}`, 20, 'm9')];
    const room = new RosterRoom(whole);
    const fits = Array.from({ length: 2 * MAX_SIGNED }, (_, at) => mine(at)).filter((one) => room.takeEntry(one));
    expect(fits).toHaveLength(MAX_SIGNED);
    const then = new RosterRoom(add(whole, ...fits));
    expect(then.takeEntry(mine(MAX_SIGNED))).toBe(false);
    expect(then.takeEntry({ ...mine(0), rank: 21 })).toBe(true);
    expect(then.takeEntry(plainEntry('y', 30, 'm8'))).toBe(true);
    const signed = Array.from({ length: 2 * MAX_SIGNED }, (_, at) => plainTombstone('m9', `x${at}`));
    expect(signed.filter((one) => room.takeTombstone(one))).toHaveLength(MAX_SIGNED);
    expect(room.takeTombstone(plainTombstone('m9', 'm9'))).toBe(true);
  });

  it('leaves room for those who came earlier to remove it, however many it let in to sign', () => {
    const puppets = Array.from({ length: MAX_SIGNED }, (_, at) => plainEntry(`x${at}`, 20, 'm9'));
    const room = new RosterRoom(plainRoster(...first, ...puppets));
    let filled = 0;
    for (const { device: by } of [...puppets, ...first.slice(9)])
      for (let at = 0; at < MAX_SIGNED; at++) if (room.takeTombstone(plainTombstone(by, `x${at}`))) filled++;
    expect(filled).toBe(MAX_TOMBSTONES - 10 * RESERVED_TOMBSTONES);
    for (const by of ['a', ...first.slice(0, 9).map((one) => one.device)]) {
      expect(room.takeTombstone(plainTombstone(by, 'm9'))).toBe(true);
      for (let at = 1; at < RESERVED_TOMBSTONES; at++)
        expect(room.takeTombstone(plainTombstone(by, `x${at}`))).toBe(true);
    }
    expect(room.takeTombstone(plainTombstone('m0', 'x60'))).toBe(false);
  });
});

describe('removal', () => {
  it('leaves those whom the rule leaves, in their order', () => {
    fc.assert(
      fc.property(roster, (any) => {
        expect(membersOf(any)).toEqual(membersByTheRule(any));
      }),
      { numRuns: 500 },
    );
  });

  const three = plainRoster(plainEntry('b', 1, 'a'), plainEntry('c', 2, 'a'), plainEntry('d', 3, 'b'));

  it('takes a device out and leaves those whom the tombstone keeps', () => {
    expect(membersOf(add(three, plainTombstone('a', 'b', ['d'])))).toEqual(['a', 'c', 'd']);
    expect(membersOf(add(three, plainTombstone('a', 'b')))).toEqual(['a', 'c']);
    expect(membershipOf(add(three, plainTombstone('a', 'b'))).standing('b')).toBe('removed');
    expect(membershipOf(add(three, plainTombstone('a', 'b'))).out).toEqual(['b', 'd']);
    expect(membersOf(add(three, plainTombstone('a', 'b'), plainEntry('d', 4, 'c')))).toEqual(['a', 'c', 'd']);
  });

  it('of each other leaves the one that was there earlier', () => {
    expect(membersOf(add(three, plainTombstone('c', 'b', ['d']), plainTombstone('b', 'c')))).toEqual(['a', 'b', 'd']);
    expect(membersOf(add(three, plainTombstone('b', 'a', ['b', 'c']), plainTombstone('a', 'b', ['d'])))).toEqual([
      'a',
      'c',
      'd',
    ]);
  });

  it('of the maker leaves the others', () => {
    expect(membersOf(add(three, plainTombstone('c', 'a', ['b', 'c'])))).toEqual(['b', 'c', 'd']);
  });

  it('in a ring goes by the order of its signers', () => {
    const ring = add(three, plainTombstone('b', 'c'), plainTombstone('c', 'd'), plainTombstone('d', 'b', ['d']));
    expect(membersOf(ring)).toEqual(['a', 'd']);
  });

  it('stays, also when the same device is let in again', () => {
    const gone = add(three, plainTombstone('a', 'b', ['d']));
    expect(membersOf(add(gone, plainEntry('b', 9, 'c')))).toEqual(['a', 'c', 'd']);
  });

  it('by oneself is leaving, and what one signed before goes on', () => {
    const left = add(three, plainTombstone('b', 'b', ['d']), plainTombstone('b', 'c'));
    expect(membersOf(left)).toEqual(['a', 'd']);
  });

  it('nothing that a removed device signs afterwards lets anybody in or out', () => {
    const accomplices = ['x', 'y', 'z'];
    const hand = fc.constantFrom('b', ...accomplices);
    const forged = fc.oneof(
      fc
        .tuple(fc.constantFrom(...accomplices, ...devices), fc.integer({ min: 0, max: 9 }), hand)
        .map(([one, rank, by]) => plainEntry(one, rank, by)),
      fc
        .tuple(hand, fc.constantFrom(...accomplices, ...devices), fc.array(fc.constantFrom(...accomplices)))
        .map(([by, one, keeps]) => plainTombstone(by, one, keeps)),
    );
    const before = add(three, plainTombstone('a', 'b', ['d']));
    fc.assert(
      fc.property(fc.array(forged, { maxLength: 12 }), (late) => {
        expect(membersOf(add(before, ...late)).sort()).toEqual(['a', 'c', 'd']);
      }),
    );
  });
});
