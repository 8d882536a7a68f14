import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isNewer, Records } from './records.ts';
import { stateOf } from './test-states.ts';

const record = fc
  .record({
    device: fc.constantFrom('a', 'b', 'c', 'd'),
    incarnation: fc.integer({ min: 1, max: 3 }),
    counter: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ device, incarnation, counter }) => {
    // one pair is one record: a device never says two things under it
    return stateOf(device, { incarnation, counter, name: `${device} ${incarnation} ${counter}` });
  });

test('records converge to the newest in any order, however often they come', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (states, order) => {
      const one = new Records('self');
      const other = new Records('self');
      for (const state of states) one.accept(state, undefined, 0);
      const again = [...states, ...states].map((state) => ({ state, at: order.next().value as number }));
      again.sort((x, y) => x.at - y.at);
      for (const { state } of again) other.accept(state, 'p', 0);
      for (const device of ['a', 'b', 'c', 'd']) {
        const newest = states
          .filter((state) => state.device === device)
          .reduce<(typeof states)[number] | undefined>((best, s) => (best && !isNewer(s, best) ? best : s), undefined);
        expect(one.of(device)?.name).toBe(newest?.name);
        expect(other.of(device)?.name).toBe(newest?.name);
      }
    }),
  );
});

test('a chain of devices converges by what each sends on, and by digests where a message was lost', () => {
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 20 }),
      fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }),
      (states, losses) => {
        // p0 - p1 - p2 - p3, news arrive at either end
        const devices = ['p0', 'p1', 'p2', 'p3'];
        const all = devices.map((device) => new Records(device));
        devices.forEach((device, i) => {
          for (const peer of [devices[i - 1], devices[i + 1]]) if (peer !== undefined) all[i]?.linked(peer);
          const links = [devices[i - 1], devices[i + 1]].filter((peer) => peer !== undefined);
          all[i]?.accept(stateOf(device, { links: [...links, 'a', 'b', 'c', 'd'] }), undefined, 0);
        });
        states.forEach((state, i) => {
          all[i % 2 === 0 ? 0 : 3]?.accept(state, undefined, 0);
        });
        let sent = 0;
        const deliver = () => {
          all.forEach((records, i) => {
            records.flush((peer, news) => {
              if (losses[sent++ % losses.length]) return;
              for (const state of news) all[devices.indexOf(peer)]?.accept(state, devices[i] as string, 0);
            });
          });
        };
        for (let round = 0; round < 4; round++) deliver();
        // digests repair what was lost
        for (let round = 0; round < 6; round++) {
          all.forEach((records, i) => {
            for (const j of [i - 1, i + 1]) {
              const peer = all[j];
              if (peer === undefined) continue;
              const { lacks, asks } = peer.compare(records.digest());
              for (const state of lacks) records.accept(state, devices[j] as string, 0);
              for (const device of asks) {
                const state = records.of(device);
                if (state !== undefined) peer.accept(state, devices[i] as string, 0);
              }
            }
          });
        }
        for (const device of ['a', 'b', 'c', 'd', ...devices]) {
          const names = all.map((records) => records.of(device)?.name);
          expect(new Set(names).size).toBe(1);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('whoever is in nobody’s links is not live; a chain of links is enough to be', () => {
  const records = new Records('self');
  records.linked('a');
  records.accept(stateOf('a', { links: ['self', 'b'] }), 'a', 0);
  records.accept(stateOf('b', { links: ['a', 'c'] }), 'a', 0);
  records.accept(stateOf('c', { links: ['b'] }), 'a', 0);
  records.accept(stateOf('x', { links: ['self', 'a'] }), 'a', 0);
  expect([...records.live()].sort()).toEqual(['a', 'b', 'c', 'self']);
  records.accept(stateOf('b', { counter: 2, links: ['a'] }), 'a', 0);
  expect([...records.live()].sort()).toEqual(['a', 'b', 'self']);
  records.unlinked('a');
  expect([...records.live()]).toEqual(['self']);
});
