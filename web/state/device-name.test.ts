import { describe, expect, it } from 'vitest';
import { createMemoryLocks } from '../../worker/shards/locks.ts';
import { plainName, type WindowLocks, windowNumber, withWindow } from './device-name.ts';

const CHROME = 'Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const SAFARI = 'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15';

describe('what a device is called at first', () => {
  it('is what the browser tells and no more', () => {
    expect(plainName('ipad', SAFARI)).toBe('iPad');
    expect(plainName('mac', SAFARI)).toBe('Mac');
    expect(plainName('mac', CHROME)).toBe('Chrome on the Mac');
    expect(plainName('windows', `${CHROME} Edg/140.0`)).toBe('Edge on Windows');
    expect(plainName('linux', 'Mozilla/5.0 Gecko/20100101 Firefox/145.0')).toBe('Firefox on Linux');
    expect(plainName('android', CHROME.replace('Safari', 'Mobile Safari'))).toBe('Android phone');
    expect(plainName('android', CHROME)).toBe('Android tablet');
    expect(plainName(undefined, CHROME)).toBe('Chrome');
  });

  it('tells windows of one computer apart', async () => {
    const locks = createMemoryLocks() as unknown as WindowLocks;
    expect(await windowNumber(locks)).toBe(1);
    expect(await windowNumber(locks)).toBe(2);
    expect(withWindow('Mac', 1)).toBe('Mac');
    expect(withWindow('Mac', 2)).toBe('Mac (2)');
    expect(await windowNumber(undefined)).toBe(1);
  });
});
