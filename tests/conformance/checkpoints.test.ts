import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forward64, type Mutation64 } from '../reference/forward64.ts';
import { LlamaReference } from '../reference/llama.ts';
import { type Draft, draftCheckpoint, encodeCheckpoint, sizeFor } from './checkpoints.ts';
import { compareLogits, failuresOf, TOLERANCES, type Tolerance } from './compare.ts';
import { FAMILIES } from './families.ts';
import { MUTATIONS } from './mutations.ts';
import { syntheticSequences } from './sequences.ts';

/** Without an engine of Shoal: the checkpoints and the comparison themselves, on float64 arithmetic in JavaScript. */

const started = await LlamaReference.start();
const reason = 'skipped' in started ? ` (skipped: ${started.skipped})` : '';

/** llama.cpp in float32 is this near to float64; what conformance allows is a million times as much. */
const REFERENCE_KL = 1e-9;
/** A fault must be seen by a wide margin, not by luck. */
const SEEN = 10;
/** Sequences that float64 in JavaScript computes for a fault; Shoal's own run takes all. */
const FEW = 1;

describe.skipIf(reason !== '').each(FAMILIES)(`the $name checkpoint${reason}`, (family) => {
  const reference = started as LlamaReference;
  const sequences = syntheticSequences(family.vocabularySize);
  const size = sizeFor(family, 'F32');
  let draft: Draft;
  const wanted: Float32Array[] = [];

  const compare = (
    changed: Draft,
    mutate?: Mutation64,
    tolerance: Tolerance = TOLERANCES.f32,
    only = sequences.length,
  ) => {
    const bytes = encodeCheckpoint(changed, 'F32');
    const actual = sequences.slice(0, only).flatMap((tokens) => forward64(bytes, tokens, mutate));
    return compareLogits(wanted.slice(0, actual.length), actual, tolerance);
  };

  beforeAll(async () => {
    draft = draftCheckpoint(family, size);
    const folder = await mkdtemp(path.join(os.tmpdir(), 'shoal-checkpoint-'));
    const file = path.join(folder, 'checkpoint.gguf');
    await writeFile(file, encodeCheckpoint(draft, 'F32'));
    await reference.open(file);
    for (const tokens of sequences) wanted.push(...(await reference.logits(tokens)));
    await rm(folder, { recursive: true });
  });

  it('is computed by llama.cpp as float64 does, with logits that are not flat', () => {
    const comparison = compare(draft);
    expect(comparison.positions).toBeGreaterThanOrEqual(192);
    expect(comparison.kl).toBeLessThan(REFERENCE_KL);
    expect(failuresOf(comparison, TOLERANCES.f32)).toEqual([]);
    expect(comparison.entropyShare).toBeLessThan(0.9);
  });

  it('has embeddings small enough for eps to show', () => {
    const { values } = draft.tensors.get('token_embd.weight') as { values: Float32Array };
    expect(values.reduce((sum, value) => sum + value * value, 0) / values.length).toBeLessThan(0.01);
  });

  it('leaves room for an engine that stores float16', () => {
    const comparison = compare(draft, (spec) => ({ ...spec, storage: 'f16' }), TOLERANCES.f16, FEW);
    expect(failuresOf(comparison, TOLERANCES.f16)).toEqual([]);
  });

  it.each(MUTATIONS.filter((mutation) => mutation.appliesTo(family, size)))(
    'shows $name',
    ({ draft: change, spec64, late }) => {
      const comparison = compare(change ? change(draft) : draft, spec64, TOLERANCES.f32, late ? sequences.length : FEW);
      expect(failuresOf(comparison, TOLERANCES.f32)).not.toEqual([]);
      expect(comparison.kl).toBeGreaterThan(SEEN * TOLERANCES.f32.kl);
    },
  );
});

afterAll(async () => {
  if (!('skipped' in started)) await started.close();
});
