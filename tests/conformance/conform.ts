import { type Comparison, compareLogits, type Storage, TOLERANCES } from './compare.ts';
import type { EngineUnderTest } from './engine.ts';
import type { Shoal } from './shoal.ts';

/** Rows of a step, sequence by sequence: decoding, a small chunk, a chunk that the sequence does not fill. */
const ROWS_A_STEP = [1, 16, 64] as const;

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
  reference: readonly Float32Array[],
  sequences: readonly (readonly number[])[],
  storage: Storage,
): Promise<Comparison> {
  try {
    const rows: Float32Array[] = [];
    for (const [i, tokens] of sequences.entries()) {
      rows.push(...(await engine.logits(tokens, ROWS_A_STEP[i % ROWS_A_STEP.length])));
    }
    return compareLogits(reference, rows, TOLERANCES[storage]);
  } finally {
    await engine.close();
  }
}

export type Measured = Partial<Record<Storage, Comparison>>;

/** Shoal on a file, in each storage that the adapter has, against a reference that holds its F32 twin. */
export async function measure(
  shoal: Shoal,
  file: string,
  reference: EngineUnderTest,
  sequences: readonly (readonly number[])[],
): Promise<Measured> {
  const wanted = await scoreReference(reference, sequences);
  const measured: Measured = {};
  for (const storage of shoal.storages) {
    measured[storage] = await conform(await shoal.open(file, storage), wanted, sequences, storage);
  }
  return measured;
}
