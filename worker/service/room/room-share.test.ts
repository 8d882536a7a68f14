import { expect, it } from 'vitest';
import { MemoryClaims } from '../memory-claims.ts';
import { FakeLocks } from '../test-locks.ts';
import { RoomShare } from './room-share.ts';

const BUDGET = 1000;

function window(locks: FakeLocks) {
  const claims = new MemoryClaims(locks);
  const own = new MemoryClaims(locks);
  return { claims, own, share: new RoomShare({ locks, claims, own }) };
}

it('windows that are in rooms share the memory evenly, as long as they are', async () => {
  const locks = new FakeLocks();
  const [one, two] = [window(locks), window(locks)];
  await one.share.enter();
  expect(await one.share.offered(BUDGET)).toBe(BUDGET);
  await two.share.enter();
  expect(await one.share.offered(BUDGET)).toBe(BUDGET / 2);
  expect(await two.share.offered(BUDGET)).toBe(BUDGET / 2);
  two.share.leave();
  await new Promise((resolve) => setTimeout(resolve));
  expect(await one.share.offered(BUDGET)).toBe(BUDGET);
});

it('a window offers no more than what others leave, and what it holds itself counts to what it offers', async () => {
  const locks = new FakeLocks();
  const [one, two, alone] = [window(locks), window(locks), window(locks)];
  await one.share.enter();
  await one.claims.claim(() => 700);
  expect(await one.share.offered(BUDGET)).toBe(BUDGET);
  await two.share.enter();
  expect(await two.share.offered(BUDGET)).toBe(300);
  await alone.own.claim(() => 200);
  expect(await two.share.offered(BUDGET)).toBe(100);
  expect(await one.share.offered(BUDGET)).toBe(500);
  await alone.own.claim(() => 400);
  expect(await two.share.offered(BUDGET)).toBe(0);
});

it('what a window loaded for itself gives way to its room', async () => {
  const locks = new FakeLocks();
  const one = window(locks);
  await one.share.enter();
  await one.own.claim(() => 900);
  expect(await one.share.offered(BUDGET)).toBe(BUDGET);
});

it('entering again counts once; without locks a window offers all', async () => {
  const locks = new FakeLocks();
  const one = window(locks);
  await one.share.enter();
  await one.share.enter();
  await new Promise((resolve) => setTimeout(resolve));
  expect(await one.share.offered(BUDGET)).toBe(BUDGET);
  const claims = new MemoryClaims(undefined);
  expect(await new RoomShare({ locks: undefined, claims, own: claims }).offered(BUDGET)).toBe(BUDGET);
});
