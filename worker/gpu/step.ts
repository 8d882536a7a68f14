/** The TypeScript side of shaders/parts/step.wgsl: rows of a batch as the kernels read them. */

/** Most rows of one step (a prefill chunk), and most rows that want a next token (sessions decoding together). */
export const MAX_ROWS = 512;
export const MAX_LOGIT_ROWS = 16;
export const NO_SLOT = 0xffffffff;
export const FROM_SAMPLED = 1;
/** Positions of one page of keys and values. */
export const PAGE_POSITIONS = 64;
/** Float rows and activations are padded to this many columns. */
export const UNIT = 32;

export const STEP_WORDS = 4 + MAX_ROWS * 4 + MAX_LOGIT_ROWS;
export const STEP_CONSTANTS = { maxRows: MAX_ROWS, maxLogitRows: MAX_LOGIT_ROWS } as const;

export interface StepRow {
  readonly token: number;
  readonly position: number;
  readonly slot: number;
  /** The token is what was last sampled for the slot, on the GPU. */
  readonly fromSampled: boolean;
  readonly wantsLogits: boolean;
}

/** Writes a step of `bucket` rows (padding included) into `words` (STEP_WORDS long); returns the words that are set. */
export function writeStep(words: Uint32Array, rows: readonly StepRow[], bucket: number): void {
  words.fill(0, 0, 4);
  words[0] = rows.length;
  let logitRows = 0;
  for (let i = 0; i < bucket; i++) {
    const row = rows[i];
    const at = 4 + i * 4;
    words[at] = row?.token ?? 0;
    words[at + 1] = row?.position ?? 0;
    words[at + 2] = row?.slot ?? NO_SLOT;
    words[at + 3] = row?.fromSampled === true ? FROM_SAMPLED : 0;
    if (row?.wantsLogits === true) words[4 + MAX_ROWS * 4 + logitRows++] = i;
  }
  words[1] = logitRows;
}

export function padded(columns: number): number {
  return Math.ceil(columns / UNIT) * UNIT;
}
