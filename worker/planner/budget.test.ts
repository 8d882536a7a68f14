import { describe, expect, it } from 'vitest';
import { detectPlatform, deviceBudget } from './budget.ts';

const GIB = 1024 ** 3;

describe('the platform', () => {
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15';
  it.each([
    [mac, 0, 'mac'],
    [mac, 5, 'ipad'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15', 5, 'iphone'],
    ['Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0', 5, 'android'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0', 10, 'windows'],
    ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0', 0, 'linux'],
  ] as const)('of %s with %i touch points is %s', (userAgent, maxTouchPoints, platform) => {
    expect(detectPlatform({ userAgent, maxTouchPoints })).toBe(platform);
  });
});

describe('the budget', () => {
  it('starts at 1.0 GiB on phones, whatever they say of their memory', () => {
    for (const platform of ['iphone', 'android'] as const) {
      const { defaultBytes } = deviceBudget({ platform, deviceMemoryGiB: 8, maxBufferBytes: 4 * GIB });
      expect(defaultBytes).toBe(GIB);
    }
  });

  it('leaves half of a computer to the rest, and lets the person decide otherwise', () => {
    const { defaultBytes, maxBytes } = deviceBudget({ platform: 'mac', deviceMemoryGiB: 16, maxBufferBytes: 4 * GIB });
    expect(defaultBytes).toBe(8 * GIB);
    expect(maxBytes).toBeGreaterThan(defaultBytes);
  });

  it('is never above what may be set', () => {
    for (const platform of ['iphone', 'ipad', 'mac', 'android', 'windows', 'linux', 'other'] as const) {
      for (const deviceMemoryGiB of [undefined, 0.5, 1, 2, 4, 8, 32]) {
        for (const maxBufferBytes of [GIB / 4, GIB, 4 * GIB]) {
          const { defaultBytes, maxBytes } = deviceBudget({ platform, deviceMemoryGiB, maxBufferBytes });
          expect(defaultBytes).toBeGreaterThan(0);
          expect(defaultBytes).toBeLessThanOrEqual(maxBytes);
        }
      }
    }
  });
});
