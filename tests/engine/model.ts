import { existsSync } from 'node:fs';
import path from 'node:path';
import { draftCheckpoint, type Encoding, encodeCheckpoint } from '../conformance/checkpoints.ts';
import type { Family, Size } from '../conformance/families.ts';
import { forward64 } from '../reference/forward64.ts';
import { ensureSoftwareGpu } from '../setup/software-gpu.mjs';

/** Five layers, so that there are many ways to cut them; weights are drawn, so that it needs no download. */
const FAMILY: Family = {
  name: 'Llama 2',
  architecture: 'llama',
  vocabulary: 'spm',
  layers: 5,
  vocabularySize: 509,
  tied: true,
  rmsEps: 1e-5,
  ropeTheta: 10_000,
  biases: false,
  queryKeyNorm: false,
  size: { hiddenSize: 64, heads: 8, kvHeads: 4, headSize: 8, feedForward: 160 },
};

/** A small model with a tokenizer, in F32. */
export const model = encodeCheckpoint(draftCheckpoint(FAMILY, FAMILY.size), 'F32');
export const LAYERS = FAMILY.layers;

/** A checkpoint of another shape. */
export function modelOf(encoding: Encoding, size: Size, options: Partial<Family> = {}): Uint8Array {
  return encodeCheckpoint(draftCheckpoint({ ...FAMILY, ...options }, size), encoding);
}

/** Why nothing can be computed here, for the name of a test that is skipped; empty where it can. */
export async function noGpuReason(): Promise<string> {
  const driver = await ensureSoftwareGpu();
  return 'skipped' in driver ? ` (skipped: ${driver.skipped})` : '';
}

/** Each token's distance from the likeliest in float64, as logits: 0 is greedy. */
export function shortOfGreedy(prompt: readonly number[], said: readonly number[]): number[] {
  const logits = forward64(model, [...prompt, ...said.slice(0, -1)]);
  return said.map((token, i) => {
    const row = logits[prompt.length - 1 + i] ?? new Float32Array();
    return row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY) - (row[token] ?? Number.NaN);
  });
}

const models = process.env.SHOAL_TEST_MODELS;

/** The file of stories260K, a real model, where SHOAL_TEST_MODELS names a folder with it. */
export const stories = models === undefined ? '' : path.join(models, 'stories260K.f32.gguf');
export const noStoriesReason = existsSync(stories)
  ? ''
  : ' (skipped: SHOAL_TEST_MODELS names no folder with stories260K.f32.gguf)';
