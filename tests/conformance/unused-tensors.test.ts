import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ModelSpec, readModelSpec } from '../../worker/models/spec.ts';
import { readGgufHeader } from '../../worker/weights/gguf.ts';
import { LlamaReference } from '../reference/llama.ts';
import { draftCheckpoint, encodeCheckpoint } from './checkpoints.ts';
import { FAMILIES } from './families.ts';

const started = await LlamaReference.start();
const reason = 'skipped' in started ? ` (skipped: ${started.skipped})` : '';
const folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-unused-'));
const file = path.join(folder, 'model.gguf');
const ones = (length: number) => ({ shape: [length], values: new Float32Array(length).fill(1) });

describe.skipIf(reason !== '')(`a tensor that a family does not compute with${reason}`, () => {
  const reference = started as LlamaReference;
  const family = (name: string) => FAMILIES.find((entry) => entry.name === name) as (typeof FAMILIES)[number];
  const withTensor = (name: string, tensor: string, length: number): Uint8Array => {
    const draft = draftCheckpoint(family(name), family(name).size);
    return encodeCheckpoint({ ...draft, tensors: new Map([...draft.tensors, [tensor, ones(length)]]) }, 'F32');
  };
  const specOf = async (bytes: Uint8Array): Promise<ModelSpec> => {
    const read = async (start: number, end: number) => bytes.slice(start, end);
    return readModelSpec(await readGgufHeader(read, bytes.length, new AbortController().signal));
  };

  it.each([
    ['Qwen2', 'rope_freqs.weight', 32],
    ['Qwen3', 'rope_freqs.weight', 64],
    ['Llama 2', 'blk.0.attn_q_norm.weight', 128],
  ])('is refused in %s: %s, here by name', async (name, tensor, length) => {
    const bytes = withTensor(name, tensor, length);
    await writeFile(file, bytes);
    await expect(reference.open(file)).rejects.toThrow(/load model/);
    await expect(specOf(bytes)).rejects.toThrow(tensor);
  });

  it('is not rope_freqs.weight in Llama', async () => {
    const bytes = withTensor('Llama 2', 'rope_freqs.weight', 64);
    await writeFile(file, bytes);
    await reference.open(file);
    expect((await specOf(bytes)).rope.factorsTensor).toBe('rope_freqs.weight');
  });
});

afterAll(async () => {
  if (!('skipped' in started)) await started.close();
  await rm(folder, { recursive: true, force: true });
});
