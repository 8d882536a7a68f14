import { attentionScratchBytes } from '../gpu/attention.ts';
import { kvBlockBytes } from '../gpu/kv.ts';
import { STAGING_BYTES } from '../gpu/repack.ts';
import { rowLayout } from '../gpu/row.ts';
import { RESULT_WORDS, SETTINGS_WORDS, samplerScratchBytes } from '../gpu/sampler.ts';
import { PAGE_POSITIONS, padded, STEP_WORDS } from '../gpu/step.ts';
import type { KernelSizes } from '../planner/memory.ts';

/** Batches for which attention may split its work and need scratch; larger ones need none. */
const SMALL_BATCHES = [1, 2, 4, 8, 16];

/** What the kernels need, as data for the planner. */
export const KERNEL_SIZES: KernelSizes = {
  pagePositions: PAGE_POSITIONS,
  stepBytes: STEP_WORDS * 4,
  stagingBytes: STAGING_BYTES,
  kvBlockBytes,
  attentionScratchBytes: (heads, kvHeads, headSize, pagesPerSlot) =>
    Math.max(...SMALL_BATCHES.map((batch) => attentionScratchBytes({ heads, kvHeads, headSize, pagesPerSlot, batch }))),
  samplerSettingsBytes: (slots) => slots * SETTINGS_WORDS * 4,
  samplerResultBytes: (logitRows) => logitRows * RESULT_WORDS * 4,
  samplerScratchBytes,
  padded,
  rowBytes: (storage, columns) => rowLayout(storage, columns).stride,
};
