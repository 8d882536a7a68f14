import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Placement, StageAssignment } from '../types.ts';
import { type Candidate, type DealRequest, deal } from './deal.ts';
import { stageOf, stateOf } from './test-states.ts';

const LAYERS = 12;

function candidate(device: string, freeBytes: number, stages: Candidate['stages'] = []): Candidate {
  return { device, freeBytes, stages, profile: stateOf(device).profile, isLinked: true };
}

function request(candidates: Candidate[], parts: Partial<DealRequest> = {}): DealRequest {
  return {
    model: 'm',
    layers: LAYERS,
    bytes: (first, last) => (last - first) * 10,
    candidates,
    apart: () => false,
    base: undefined,
    stays: ({ device }) => candidates.some((one) => one.device === device),
    ...parts,
  };
}

function placement(...stages: [string, number, number][]): Placement {
  return {
    id: { model: 'm', epoch: 256, proposer: 'a' },
    stages: stages.map(([device, first, last]): StageAssignment => ({ device, first, last })),
    spares: [],
  };
}

const held = (first: number, last: number, givesWay = false) => ({ ...stageOf(first, last), givesWay });

test('all layers are dealt once, in order, to devices that have the room, and not apart', () => {
  const devices = fc.array(fc.integer({ min: 0, max: 130 }), { minLength: 1, maxLength: 7 });
  const pairs = fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 4 });
  fc.assert(
    fc.property(devices, pairs, fc.boolean(), (free, broken, hasHolder) => {
      const candidates = free.map((bytes, i) => candidate(`d${i}`, bytes, hasHolder && i === 0 ? [held(4, 12)] : []));
      const apart = (a: string, b: string) =>
        a !== b && broken.some(([x, y]) => [`d${x}`, `d${y}`].includes(a) && [`d${x}`, `d${y}`].includes(b) && x !== y);
      const dealt = deal(request(candidates, { apart }));
      const total = free.reduce((sum, bytes) => sum + bytes, 0);
      if (!('stages' in dealt)) {
        // one that could hold all by itself is never passed over
        expect(free.some((bytes) => bytes >= LAYERS * 10)).toBe(false);
        if (broken.length === 0) expect(dealt.missingBytes).toBeGreaterThan(0);
        return;
      }
      let layer = 0;
      const taken = new Map<string, number>();
      dealt.stages.forEach(({ device, first, last }, i) => {
        expect(first).toBe(layer);
        layer = last;
        const isHeld = hasHolder && device === 'd0' && first === 4 && last === 12;
        taken.set(device, (taken.get(device) ?? 0) + (isHeld ? 0 : (last - first) * 10));
        const next = dealt.stages[(i + 1) % dealt.stages.length] as StageAssignment;
        expect(apart(device, next.device)).toBe(false);
      });
      expect(layer).toBe(LAYERS);
      for (const [device, bytes] of taken) expect(bytes).toBeLessThanOrEqual(free[Number(device.slice(1))] as number);
      expect(total).toBeGreaterThan(0);
    }),
  );
});

test('the first placement takes the fewest devices, in proportion to their budgets', () => {
  const dealt = deal(request([candidate('small', 30), candidate('large', 90), candidate('medium', 60)]));
  expect(dealt).toEqual({
    stages: [
      { device: 'large', first: 0, last: 7 },
      { device: 'medium', first: 7, last: 12 },
    ],
  });
});

test('in a repair all other stages stay; who holds the lost layers already gets them', () => {
  const candidates = [candidate('a', 0, [held(0, 6)]), candidate('rich', 120), candidate('copy', 0, [held(6, 12)])];
  const dealt = deal(request(candidates, { base: placement(['a', 0, 6], ['gone', 6, 12]) }));
  expect(dealt).toEqual({
    stages: [
      { device: 'a', first: 0, last: 6 },
      { device: 'copy', first: 6, last: 12 },
    ],
  });
});

test('lost layers that nobody can hold alone are split', () => {
  const candidates = [candidate('a', 0, [held(0, 6)]), candidate('b', 40), candidate('c', 30)];
  const dealt = deal(request(candidates, { base: placement(['a', 0, 6], ['gone', 6, 12]) }));
  expect('stages' in dealt && dealt.stages.map(({ device, first, last }) => [device, first, last])).toEqual([
    ['a', 0, 6],
    ['b', 6, 10],
    ['c', 10, 12],
  ]);
});

test('of two neighbours that do not reach one another one is replaced', () => {
  const candidates = [candidate('a', 0, [held(0, 6)]), candidate('b', 0, [held(6, 12)]), candidate('c', 60)];
  const apart = (x: string, y: string) => x !== y && [x, y].every((one) => one === 'a' || one === 'b');
  const dealt = deal(request(candidates, { apart, base: placement(['a', 0, 6], ['b', 6, 12]) }));
  const devices = 'stages' in dealt ? dealt.stages.map(({ device }) => device) : [];
  expect(devices).toContain('c');
  expect(devices.includes('a') && devices.includes('b')).toBe(false);
});

test('where room lacks it says how much', () => {
  expect(deal(request([candidate('a', 50), candidate('b', 40)]))).toEqual({ missingBytes: 30 });
});
