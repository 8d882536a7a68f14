import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StorageReport } from '../../worker/api.ts';
import type { WorkerClient } from '../../worker/client.ts';
import { Device } from './device.ts';
import type { PreferenceStore } from './preferences.ts';

const file = (key: string, keptBytes: number): StorageReport['files'][number] => ({
  ...{ key, identity: { kind: 'url', address: `https://example.org/${key}`, etag: 'e' }, name: `${key}.gguf` },
  ...{ size: 500, keptBytes, complete: false, verified: 'own-hashes', lostBytes: 0, lookedAt: false },
});

function deviceOver(storage: () => Partial<StorageReport>) {
  const asked = vi.fn(async () => ({ files: [], usedBytes: 0, quotaBytes: 1000, persisted: false, ...storage() }));
  const device = new Device({ storage: asked } as unknown as WorkerClient, {} as PreferenceStore);
  return { device, asked };
}

describe('what is kept', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is never said to be less than its files have', async () => {
    let usedBytes = 10;
    const { device } = deviceOver(() => ({ usedBytes, files: [file('a', 300), file('b', 40)] }));
    await device.readStorage();
    expect(device.storage.value?.usedBytes).toBe(340);
    usedBytes = 400;
    await device.readStorage();
    expect(device.storage.value?.usedBytes).toBe(400);
  });

  it('is looked at now and then while bytes arrive, not at each of them', async () => {
    let kept = 0;
    const { device, asked } = deviceOver(() => ({ files: [file('a', kept)] }));
    for (kept = 1; kept <= 100; kept++) device.readStorageSoon();
    await vi.runAllTimersAsync();
    expect(asked).toHaveBeenCalledTimes(1);
    kept = 200;
    device.readStorageSoon();
    await vi.runAllTimersAsync();
    expect(asked).toHaveBeenCalledTimes(2);
    expect(device.storage.value?.usedBytes).toBe(200);
  });
});
