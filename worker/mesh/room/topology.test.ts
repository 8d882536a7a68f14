import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeviceProfile } from '../types.ts';
import { FORGET_MS } from './constants.ts';
import { Links } from './links.ts';
import { PlacementBook } from './placement-order.ts';
import type { Post } from './post.ts';
import { Records } from './records.ts';
import { stateOf } from './test-states.ts';
import { Topology } from './topology.ts';
import { View } from './view.ts';

/** Whom a device asks for a link that knows all others as live. */
function wanted(device: string, devices: readonly string[], profile: DeviceProfile = stateOf('x').profile): string[] {
  const links = new Links();
  const records = new Records(device);
  const others = devices.filter((other) => other !== device);
  // one link, whose peer names the rest: all are live
  const first = others[0] as string;
  links.opened(first, 0);
  records.linked(first);
  for (const other of others) records.accept(stateOf(other, { links: devices.filter((d) => d !== other) }), first, 0);
  const asked = new Set<string>();
  const post: Post<number> = {
    device,
    nowMs: 0,
    reaches: () => true,
    emit: (effect) => {
      if (effect.kind === 'connect') asked.add(effect.peer);
    },
    send: () => {},
    sendFrame: () => {},
  };
  const view = new View(device, links, records, new PlacementBook());
  new Topology(
    post,
    view,
    profile,
    () => 0.5,
    () => [],
  ).look();
  return [...asked, first];
}

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 40 });

test('up to 8 devices each links to every other', () => {
  fc.assert(
    fc.property(names, (devices) => {
      const few = devices.slice(0, 8);
      for (const device of few) expect(wanted(device, few)).toHaveLength(few.length - 1);
    }),
    { numRuns: 30 },
  );
});

test('of more the links that they ask for connect all, and are few', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 8, maxLength: 8 }), { minLength: 9, maxLength: 40 }),
      (devices) => {
        const links = new Map(devices.map((device) => [device, new Set<string>()]));
        for (const device of devices) {
          // the one link there is already is not asked for
          const asks = wanted(device, devices).slice(0, -1);
          expect(asks.length).toBeLessThanOrEqual(12);
          for (const peer of asks) {
            links.get(device)?.add(peer);
            links.get(peer)?.add(device);
          }
          // the ring's neighbours are among them, or the link that stands in for one
          expect(asks.length).toBeGreaterThanOrEqual(1);
        }
        const first = devices[0] as string;
        for (const device of devices) {
          const link = devices.find((other) => other !== device) as string;
          links.get(device)?.add(link);
        }
        const reached = new Set([first]);
        for (const device of reached) for (const peer of links.get(device) ?? []) reached.add(peer);
        expect(reached.size).toBe(devices.length);
      },
    ),
    { numRuns: 30 },
  );
});

test('who is tried again and again in vain is forgotten', () => {
  const links = new Links();
  let asked: string[] = [];
  const post = {
    device: 'own',
    nowMs: 0,
    reaches: () => false,
    emit: (effect: { readonly kind: string; readonly peer?: string }) => {
      if (effect.kind === 'connect' && effect.peer !== undefined) asked.push(effect.peer);
    },
    send: () => {},
    sendFrame: () => {},
  };
  const view = new View('own', links, new Records('own'), new PlacementBook());
  const topology = new Topology<number>(
    post,
    view,
    stateOf('x').profile,
    () => 0.5,
    () => [],
  );
  for (let i = 0; i < 20; i++) topology.present(`gone ${i}`, `address ${i}`);
  const look = () => {
    asked = [];
    topology.look();
    for (const peer of asked) topology.closed(peer);
    return asked.length;
  };
  let most = 0;
  for (; post.nowMs < FORGET_MS; post.nowMs += 1000) most = Math.max(most, look());
  expect(most).toBeGreaterThan(0);
  post.nowMs += 1000;
  look();
  expect(look()).toBe(0);
});
