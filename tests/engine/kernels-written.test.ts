import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTEXT_TOKENS } from '../../bench/kernels/list.ts';
import { type KernelDescription, writeKernels } from '../../bench/kernels/main.ts';
import { Engine } from '../../worker/generation/engine.ts';
import type { StorageType } from '../../worker/gpu/device.ts';
import { openEnvironment } from '../kernels/open.ts';
import { PLAIN } from '../kernels/sampling.ts';
import { ensureSmollm2 } from '../setup/smollm2.ts';
import { noGpuReason } from './model.ts';
import { openStage } from './open.ts';

const smollm2 = await ensureSmollm2();
const reason = (await noGpuReason()) || ('skipped' in smollm2 ? ` (skipped: ${smollm2.skipped})` : '');
const file = 'file' in smollm2 ? smollm2.file : '';

describe.skipIf(reason !== '')(`the kernels that are written for judging${reason}`, () => {
  let folder: string;
  /** What is said of each kernel, by its WGSL. */
  const written = new Map<string, KernelDescription>();

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'shoal-kernels-'));
    await writeKernels(folder);
    for (const name of (await readdir(folder)).filter((entry) => entry.endsWith('.wgsl'))) {
      const about = await readFile(path.join(folder, name.replace(/wgsl$/, 'json')), 'utf8');
      written.set(await readFile(path.join(folder, name), 'utf8'), JSON.parse(about));
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(['f16', 'f32'] as const)(
    'are the ones that SmolLM2 is loaded, read and continued with, in %s',
    async (storage) => {
      const captured = await captureModules(storage);
      const unknown = captured.filter((source) => !written.has(source));
      expect(unknown.map((source) => source.slice(0, 400))).toEqual([]);
      const roles = new Set(captured.map((source) => written.get(source)?.role));
      expect([...roles].sort()).toEqual(['attention-decode', 'attention-prefill', 'matmul', 'matvec', 'other']);
      for (const source of captured) {
        const about = written.get(source);
        expect(about?.models.some((name) => name.startsWith('SmolLM2'))).toBe(true);
      }
    },
  );

  it('each have a description that fits', () => {
    expect(written.size).toBeGreaterThan(100);
    for (const [source, { role, format, planes, rows, tile, headSize, storage }] of written) {
      const isProduct = role.startsWith('mat');
      expect(isProduct).toBe(format !== undefined);
      expect(planes?.reduce((sum, { bits }) => sum + bits, 0)).toBe(isProduct ? bitsOf(format ?? '') : undefined);
      for (const { binding } of planes ?? [])
        expect(source).toMatch(new RegExp(`@binding\\(${binding}\\) var<storage, read>`));
      expect(rows === 1).toBe(role === 'matvec' || role === 'attention-decode');
      expect(tile !== undefined).toBe(role === 'matmul');
      expect(headSize !== undefined).toBe(role.startsWith('attention'));
      expect(source.startsWith('enable f16;')).toBe(storage === 'f16');
    }
  });
});

/** Of a weight, scales apart. */
function bitsOf(format: string): number {
  return Number(/\d+/.exec(format)?.[0]);
}

/** WGSL of every module that is made while the model is loaded, reads a prompt and says a few tokens. */
async function captureModules(storage: StorageType): Promise<readonly string[]> {
  const gpu = await openEnvironment('driver', storage);
  const create = gpu.device.createShaderModule.bind(gpu.device);
  const sources = new Set<string>();
  gpu.device.createShaderModule = (descriptor) => {
    sources.add(descriptor.code);
    return create(descriptor);
  };
  const { stage } = await openStage(gpu, file, { contextTokens: CONTEXT_TOKENS });
  const engine = new Engine(stage, CONTEXT_TOKENS, 4);
  await engine.generate({
    conversation: 'one',
    tokens: Array.from({ length: 20 }, (_, i) => 300 + i),
    sampler: { ...PLAIN, temperature: 0 },
    maxTokens: 3,
    onToken: () => false,
    signal: new AbortController().signal,
  });
  engine.close();
  gpu.close();
  return [...sources];
}
