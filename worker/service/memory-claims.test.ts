import { describe, expect, it } from 'vitest';
import { MemoryClaims } from './memory-claims.ts';
import { FakeLocks } from './test-locks.ts';

describe('windows of one device', () => {
  it('see what the others hold, and not what they hold themselves', async () => {
    const locks = new FakeLocks();
    const [one, two] = [new MemoryClaims(locks), new MemoryClaims(locks)];
    await one.claim(() => 300);
    expect(await one.othersBytes()).toBe(0);
    expect(await two.othersBytes()).toBe(300);
    await one.claim(() => 100);
    expect(await two.othersBytes()).toBe(100);
    await one.release();
    expect(await two.othersBytes()).toBe(0);
  });

  it('never take more than the budget together, however they race', async () => {
    const locks = new FakeLocks();
    const budget = 1000;
    const windows = Array.from({ length: 5 }, () => new MemoryClaims(locks));
    const taken = await Promise.all(windows.map((claims) => claims.claim((others) => Math.min(400, budget - others))));
    expect(taken.reduce((sum, bytes) => sum + bytes, 0)).toBe(budget);
  });

  it('keep what they hold when another model is refused', async () => {
    const locks = new FakeLocks();
    const [one, two] = [new MemoryClaims(locks), new MemoryClaims(locks)];
    await one.claim(() => 300);
    await expect(
      one.claim(() => {
        throw new Error('too large');
      }),
    ).rejects.toThrow('too large');
    expect(await two.othersBytes()).toBe(300);
    await one.claim(() => 500);
    expect(await two.othersBytes()).toBe(500);
  });

  it('hold nothing when the decision is to refuse', async () => {
    const locks = new FakeLocks();
    const [one, two] = [new MemoryClaims(locks), new MemoryClaims(locks)];
    await one.claim(() => 300);
    await expect(
      two.claim(() => {
        throw new Error('too large');
      }),
    ).rejects.toThrow('too large');
    expect(await one.othersBytes()).toBe(0);
    expect(await two.claim((others) => 1000 - others)).toBe(700);
  });
});
