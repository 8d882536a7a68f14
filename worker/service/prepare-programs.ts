import { ROW_BUCKETS } from '../generation/chunks.ts';
import type { Stage } from '../models/stage.ts';

type Rows = readonly [rows: number, logitRows: number];

/** What a first answer runs: its prompt by chunks, the last of which gives a token, and then token by token. */
function firstPrograms(chunkRows: number): readonly Rows[] {
  return [
    [1, 1],
    [chunkRows, 1],
    [chunkRows, 0],
  ];
}

/** A stage as far as it compiles. */
export type Compiles = Pick<Stage, 'prepare'>;

/**
 * Compiles a stage's programs: resolves when those of a first answer are there, and goes on with the others behind,
 * until `signal` says stop. A step that needs one of them earlier waits for it, and is told if it fails.
 * @param chunkRows the bucket of a first prompt's first chunk
 * @param behind `next`: whose first programs come before the others of `stage`, what this device may have to run soon;
 *   'nothing': whatever a step needs beside compiles when it is needed
 */
export async function preparePrograms(
  stage: Compiles,
  maxLogitRows: number,
  chunkRows: number,
  signal: AbortSignal,
  onPrepared: (done: number, total: number) => void,
  behind: { readonly next?: Compiles } | 'nothing' = {},
): Promise<void> {
  const first = firstPrograms(chunkRows);
  onPrepared(0, first.length);
  for (const [done, [rows, logitRows]] of first.entries()) {
    signal.throwIfAborted();
    await stage.prepare(rows, logitRows);
    onPrepared(done + 1, first.length);
  }
  if (behind === 'nothing') return;
  const { next } = behind;
  void prepareRest(stage, maxLogitRows, signal, next && { stage: next, programs: first });
}

async function prepareRest(
  stage: Compiles,
  maxLogitRows: number,
  signal: AbortSignal,
  next: { readonly stage: Compiles; readonly programs: readonly Rows[] } | undefined,
): Promise<void> {
  const decodes = ROW_BUCKETS.filter((rows) => rows <= maxLogitRows).map((rows): Rows => [rows, rows]);
  const prompts = ROW_BUCKETS.flatMap((rows): Rows[] => [
    [rows, 1],
    [rows, 0],
  ]);
  const own = [...prompts, ...decodes].map((rows) => ({ stage, rows }));
  const others = next?.programs.map((rows) => ({ stage: next.stage, rows })) ?? [];
  for (const { stage: compiles, rows } of [...others, ...own]) {
    if (signal.aborted) return;
    await compiles.prepare(...rows).catch(() => {}); // whoever runs it is told
  }
}
