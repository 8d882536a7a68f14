import { describe, expect, it } from 'vitest';
import { divideOffer } from '../../mesh/room/retention-pool.ts';
import { MemoryOffer } from './memory-offer.ts';
import type { RoomHost } from './room-host.ts';
import type { RoomShare } from './room-share.ts';

function setUp(budgetBytes: number) {
  const left = { bytes: Number.POSITIVE_INFINITY, entered: 0 };
  const share = {
    enter: async () => void left.entered++,
    leave: () => void left.entered--,
    offered: async (budget: number) => Math.min(budget, left.bytes),
  } as unknown as RoomShare;
  const fed: unknown[] = [];
  const host = { feed: (input: unknown) => void fed.push(input) } as unknown as RoomHost;
  return { left, fed, host, offer: new MemoryOffer(share, budgetBytes) };
}

const told = (bytes: number) => {
  const { layersBytes, retainedBytes } = divideOffer(bytes);
  return { kind: 'budget', bytes: layersBytes, retainedBytes };
};

describe('what a device offers to its room', () => {
  it('is its share on entering, and told again only when that changes', async () => {
    const { left, fed, host, offer } = setUp(8e9);
    expect(await offer.enter()).toEqual(divideOffer(8e9));
    expect(left.entered).toBe(1);
    await offer.refresh(() => host);
    expect(fed).toEqual([]);
    left.bytes = 4e9;
    offer.setBudget(8e9); // as changed settings do: it is asked at once
    await offer.refresh(() => host);
    expect(fed).toEqual([told(4e9)]);
    offer.leave();
    expect(left.entered).toBe(0);
  });

  it('follows the budget that a person set', async () => {
    const { fed, host, offer } = setUp(8e9);
    await offer.enter();
    offer.setBudget(1e9);
    expect(offer.budgetBytes).toBe(1e9);
    await offer.refresh(() => host);
    expect(fed).toEqual([told(1e9)]);
  });

  it('is told when this device becomes a member, and not to a room that was left meanwhile', async () => {
    const { left, fed, host, offer } = setUp(8e9);
    await offer.enter();
    left.bytes = 2e9;
    await offer.refresh(() => undefined);
    let calls = 0;
    await offer.refresh(() => (calls++ === 0 ? host : undefined));
    expect(fed).toEqual([]);
    offer.setBudget(8e9);
    await offer.refresh(() => host);
    expect(fed).toEqual([told(2e9)]);
  });
});
