import { describe, expect, it } from 'vitest';
import type { ModelSummary } from '../../worker/api.ts';
import { loadingProgress } from './loading-progress.ts';
import type { Loading } from './models.ts';

const summary = { layers: 5 } as ModelSummary;
const at = (doneBytes: number, layersDone: number): Loading => ({
  phase: 'loading',
  name: 'Tiny',
  contextTokens: 4096,
  summary,
  progress: { kind: 'progress', doneBytes, totalBytes: 1000, fetchedBytes: 0, layersDone, repairedShards: 0 },
});

describe('a load is shown', () => {
  it('with the layers that are here and the one that arrives', () => {
    expect(loadingProgress(at(400, 2))).toEqual({ percent: 40, layers: 5, full: 2, now: 2 });
  });

  it('with all layers once all bytes are here, though the last are still on their way to the GPU', () => {
    const preparing = { done: 1, total: 3 };
    expect(loadingProgress({ ...at(1000, 0), preparing })).toEqual({ percent: 100, layers: 5, full: 5, preparing });
  });

  it('as nothing yet before its header was read', () => {
    const { summary: _summary, progress: _progress, ...finding } = at(0, 0);
    expect(loadingProgress(finding)).toEqual({ percent: 0, layers: 0, full: 0 });
  });
});
