import { type Comparison, compareLogits, type Storage, TOLERANCES } from './compare.ts';
import type { EngineUnderTest } from './engine.ts';
import type { Shoal } from './shoal.ts';

/** Rows of a step, sequence by sequence: decoding, a small chunk, a chunk that the sequence does not fill. */
export const ALL_STEPS: readonly number[] = [1, 16, 64];
/** The software driver compiles the kernels of large chunks for many seconds: these once a family, */
export const FAMILY_STEPS: readonly number[] = [1, 16, 32];
/** and for its other tensor types none. */
export const SHORT_STEPS: readonly number[] = [1, 16, 16];

/** The reference's logits at every position of the sequences, one after another. */
export async function scoreReference(
  reference: EngineUnderTest,
  sequences: readonly (readonly number[])[],
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const tokens of sequences) rows.push(...(await reference.logits(tokens)));
  return rows;
}

/** Runs an engine over the sequences, each in steps of another size, and compares. The engine is closed. */
export async function conform(
  engine: EngineUnderTest,
  reference: readonly Float32Array[] | Promise<readonly Float32Array[]>,
  sequences: readonly (readonly number[])[],
  storage: Storage,
  rowsAStep = ALL_STEPS,
): Promise<Comparison> {
  try {
    const rows: Float32Array[] = [];
    for (const [i, tokens] of sequences.entries()) {
      rows.push(...(await engine.logits(tokens, rowsAStep[i % rowsAStep.length])));
    }
    return compareLogits(await reference, rows, TOLERANCES[storage]);
  } finally {
    await engine.close();
  }
}

export type Measured = Partial<Record<Storage, Comparison>>;

/** Shoal on a file, in each storage that the adapter has, against a reference that holds its F32 twin; all at once. */
export async function measure(
  shoal: Shoal,
  file: string,
  reference: EngineUnderTest,
  sequences: readonly (readonly number[])[],
  rowsAStep = ALL_STEPS,
): Promise<Measured> {
  const wanted = scoreReference(reference, sequences);
  const measured: Measured = {};
  const runs = shoal.storages.map(async (storage) => {
    measured[storage] = await conform(await shoal.open(file, storage), wanted, sequences, storage, rowsAStep);
  });
  await Promise.all([wanted, ...runs]);
  return measured;
}
