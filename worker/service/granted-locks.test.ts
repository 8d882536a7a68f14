import { afterEach, expect, it, vi } from 'vitest';
import { grantedLocks } from './granted-locks.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('locks are those of the browser, and none where it has none or denies them', async () => {
  const locks = { query: async () => ({}) };
  vi.stubGlobal('navigator', { locks });
  expect(await grantedLocks()).toBe(locks);
  vi.stubGlobal('navigator', {});
  expect(await grantedLocks()).toBeUndefined();
  const denied = () => Promise.reject(new DOMException('The request was denied.', 'SecurityError'));
  vi.stubGlobal('navigator', { locks: { query: denied } });
  expect(await grantedLocks()).toBeUndefined();
});
