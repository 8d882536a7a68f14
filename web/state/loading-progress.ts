import { percent } from '../ui/format.ts';
import type { Loading } from './models.ts';

/** What the picture of the layers and the words beside it say of a load. */
export interface LoadingProgress {
  readonly percent: number;
  readonly layers: number;
  /** Layers whose weights are here. */
  readonly full: number;
  /** The layer that is arriving; absent when all are here. */
  readonly now?: number;
  /** All weights are here, and the GPU's programs are being compiled. */
  readonly preparing?: { readonly done: number; readonly total: number };
}

export function loadingProgress({ summary, progress, preparing }: Loading): LoadingProgress {
  const layers = summary?.layers ?? 0;
  const isWhole = progress !== undefined && progress.doneBytes >= progress.totalBytes;
  if (isWhole) return { percent: 100, layers, full: layers, ...(preparing ? { preparing } : {}) };
  const full = Math.min(layers, progress?.layersDone ?? 0);
  return {
    percent: progress ? percent(progress.doneBytes, progress.totalBytes) : 0,
    layers,
    full,
    ...(full < layers ? { now: full } : {}),
  };
}
