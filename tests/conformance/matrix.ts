import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LlamaReference } from '../reference/llama.ts';
import { writeF32Twin } from '../reference/to-f32.ts';
import { type Draft, draftCheckpoint, type Encoding, encodeCheckpoint, sizeFor } from './checkpoints.ts';
import type { Comparison } from './compare.ts';
import { conform, FAMILY_STEPS, type Measured, measure, SHORT_STEPS, scoreReference } from './conform.ts';
import type { Family } from './families.ts';
import type { Mutation } from './mutations.ts';
import { TYPES } from './quantize.ts';
import { syntheticSequences } from './sequences.ts';
import { Shoal } from './shoal.ts';

export const ENCODINGS: readonly Encoding[] = [...TYPES, 'Q4_K_M'];

/** Shoal beside llama.cpp on checkpoints of every family and encoding, made as they are asked for. */
export class Matrix {
  readonly #reference: LlamaReference;
  readonly #shoal: Shoal;
  readonly #folder: string;
  #draft: Draft | undefined;

  private constructor(reference: LlamaReference, shoal: Shoal, folder: string) {
    this.#reference = reference;
    this.#shoal = shoal;
    this.#folder = folder;
  }

  static async open(): Promise<Matrix | { readonly skipped: string }> {
    const shoal = await Shoal.start();
    if ('skipped' in shoal) return shoal;
    const reference = await LlamaReference.start();
    if ('skipped' in reference) return reference;
    return new Matrix(reference, shoal, await mkdtemp(path.join(os.tmpdir(), 'shoal-conformance-')));
  }

  /** One cell: each storage against llama.cpp on the F32 twin. */
  async compare(family: Family, encoding: Encoding): Promise<Measured> {
    const file = path.join(this.#folder, 'checkpoint.gguf');
    const twin = path.join(this.#folder, 'twin.gguf');
    await writeFile(file, encodeCheckpoint(this.#drafted(family, encoding), encoding));
    await writeF32Twin(file, twin);
    await this.#reference.open(twin);
    const steps = encoding === 'F32' ? FAMILY_STEPS : SHORT_STEPS;
    return measure(this.#shoal, file, this.#reference, syntheticSequences(family.vocabularySize), steps);
  }

  /** Shoal with a fault, in f32 on F32 weights, against llama.cpp without it. */
  async compareMutated(family: Family, mutations: readonly Mutation[]): Promise<Map<Mutation, Comparison>> {
    const right = path.join(this.#folder, 'checkpoint.gguf');
    const wrong = path.join(this.#folder, 'mutated.gguf');
    const draft = this.#drafted(family, 'F32');
    await writeFile(right, encodeCheckpoint(draft, 'F32'));
    await this.#reference.open(right);
    const sequences = syntheticSequences(family.vocabularySize);
    const wanted = await scoreReference(this.#reference, sequences);
    const comparisons = new Map<Mutation, Comparison>();
    for (const mutation of mutations) {
      await writeFile(wrong, encodeCheckpoint(mutation.draft ? mutation.draft(draft) : draft, 'F32'));
      const engine = await this.#shoal.open(wrong, 'f32', mutation.spec);
      comparisons.set(mutation, await conform(engine, wanted, sequences, 'f32', SHORT_STEPS));
    }
    return comparisons;
  }

  async close(): Promise<void> {
    this.#shoal.close();
    await this.#reference.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Drawing tens of millions of weights takes longer than encoding them: the last draft is kept. */
  #drafted(family: Family, encoding: Encoding): Draft {
    const size = sizeFor(family, encoding);
    if (this.#draft?.family !== family || this.#draft.size !== size) this.#draft = draftCheckpoint(family, size);
    return this.#draft;
  }
}
