import { describe, expect, it } from 'vitest';
import { KERNEL_SIZES } from '../models/kernel-sizes.ts';
import type { ModelSpec } from '../models/spec.ts';
import { type FitOptions, fitModel } from './fit.ts';

const MIB = 1024 ** 2;
const spec: ModelSpec = {
  name: 'test',
  architecture: 'llama',
  hiddenSize: 2048,
  vocabulary: 32_000,
  contextTokens: 8192,
  normEps: 1e-5,
  rope: { theta: 10_000, dims: 64, pairing: 'adjacent', linearFactor: 1, factorsTensor: undefined },
  blocks: Array.from({ length: 16 }, () => ({
    attention: { kind: 'grouped-query', heads: 32, kvHeads: 8, headSize: 64, qkNorm: false, window: undefined },
    mlp: { kind: 'gated', size: 8192, activation: 'silu' },
  })),
  tiedHead: true,
};
const fitAt = (budgetBytes: number, more: Partial<FitOptions> = {}) =>
  fitModel({
    spec,
    tensors: new Map(),
    shape: { contextTokens: 8192, sessions: 1, slots: 4, maxRows: 256, maxLogitRows: 4, storage: 'f16' },
    sizes: KERNEL_SIZES,
    budgetBytes,
    maxBindingBytes: 128 * MIB,
    weightsBytes: 800 * MIB,
    ...more,
  });

describe('whether a model fits', () => {
  it('adds up to the whole, keys and values to 2 x layers x heads x size x tokens x 2 bytes', () => {
    const { fit, plan } = fitAt(8192 * MIB);
    expect(fit.verdict).toBe('fits');
    expect(fit.kvBytes).toBe(2 * 16 * 8 * 64 * 8192 * 2);
    expect(fit.weightsBytes + fit.kvBytes + fit.scratchBytes).toBe(fit.totalBytes);
    expect(plan.buffers.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(fit.scratchBytes);
  });

  it('shortens the context before it refuses, and never passes the budget', () => {
    const full = fitAt(8192 * MIB).fit.totalBytes;
    for (let budget = full; budget > 700 * MIB; budget -= 50 * MIB) {
      const { fit, shape } = fitAt(budget);
      expect(shape.contextTokens).toBe(fit.contextTokens);
      if (fit.verdict === 'too-large') {
        expect(fit.layersThatFit).toBeLessThan(16);
        expect(fit.totalBytes).toBeGreaterThan(budget);
      } else expect(fit.totalBytes).toBeLessThanOrEqual(budget);
    }
    expect(fitAt(full - 1).fit.verdict).toBe('shorter-context');
    expect(fitAt(700 * MIB).fit.verdict).toBe('too-large');
  });

  it('keeps the keys of a layer within one binding', () => {
    const { fit, plan } = fitAt(8192 * MIB, { maxBindingBytes: 7 * MIB });
    expect(fit.verdict).toBe('shorter-context');
    expect(plan.kvLayerBytes).toBeLessThanOrEqual(7 * MIB);
  });

  it('keeps what attention needs beside keys and values within one binding too', () => {
    // 28 heads in groups of 7: splits of two pages, whose outputs grow with the context
    const wide = {
      kind: 'grouped-query',
      heads: 28,
      kvHeads: 4,
      headSize: 128,
      qkNorm: false,
      window: undefined,
    } as const;
    const blocks = spec.blocks.map((block) => ({ ...block, attention: wide }));
    const shape = {
      contextTokens: 131_072,
      sessions: 1,
      slots: 4,
      maxRows: 256,
      maxLogitRows: 4,
      storage: 'f16',
    } as const;
    const { fit, plan } = fitAt(64 * 1024 * MIB, { spec: { ...spec, blocks, contextTokens: 131_072 }, shape });
    expect(fit.verdict).toBe('shorter-context');
    for (const { name, bytes } of plan.buffers)
      if (name !== 'readback') expect(bytes, name).toBeLessThanOrEqual(128 * MIB);
  });

  it('asks for no more context than the model was trained for', () => {
    const shape = {
      contextTokens: 100_000,
      sessions: 1,
      slots: 4,
      maxRows: 256,
      maxLogitRows: 4,
      storage: 'f16',
    } as const;
    expect(fitAt(64 * 1024 * MIB, { shape }).fit.contextTokens).toBe(8192);
  });
});
