import { describe, expect, it } from 'vitest';
import { prefillForm } from './attention-prefill.ts';
import type { StorageType } from './device.ts';
import type { KvType } from './kv.ts';

const KIB = 1024;
const STORAGES: readonly StorageType[] = ['f16', 'f32'];
const KV_TYPES: readonly KvType[] = ['storage', 'q8'];
const HEAD_SIZES = Array.from({ length: 64 }, (_, i) => (i + 1) * 4);

describe('the form of attention over many rows', () => {
  it.each([16, 32])('exists for every head size in %i KiB, within the least limits of WebGPU', (kib) => {
    for (const storage of STORAGES) {
      for (const kv of KV_TYPES) {
        for (const headSize of HEAD_SIZES) {
          const form = prefillForm(storage, kv, headSize, kib * KIB);
          expect(form.threads).toBeLessThanOrEqual(256);
          // keys are taken 32 positions at a time
          expect(form.threads % 32).toBe(0);
          expect(form.lanes * 8).toBeGreaterThanOrEqual(headSize);
          expect(form.chunkUnits * form.chunks).toBe(form.units);
          expect((form.chunkUnits / form.keptRatio) % 1).toBe(0);
          expect(form.keyLoads * form.threads).toBeGreaterThanOrEqual((form.chunkUnits / form.keptRatio) * 32);
        }
      }
    }
  });

  it('takes more rows where there is more memory', () => {
    expect(prefillForm('f16', 'storage', 128, 16 * KIB).tile).toBe(16);
    expect(prefillForm('f16', 'storage', 128, 32 * KIB).tile).toBe(32);
  });

  it('refuses what fits nowhere, in words', () => {
    expect(() => prefillForm('f32', 'storage', 256, 4 * KIB)).toThrow('4096 bytes');
  });
});
