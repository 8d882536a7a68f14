import { expect, test } from 'vitest';
import type { ModelFiles } from '../model-files.ts';
import { modelKey } from './model-key.ts';
import { RoomModels } from './room-models.ts';

const MODEL = modelKey({
  where: { kind: 'hub', repository: 'o/r', commit: 'main', file: 'm.gguf' },
  contextTokens: 512,
});

/** A server that never answers, and the signals that it was asked with. */
function hangingFiles() {
  const signals: AbortSignal[] = [];
  const open = (_: unknown, signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<never>((__, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  return { signals, files: { open } as unknown as ModelFiles };
}

test('a header that two wait for is read on when one gives up, and no longer when both did', async () => {
  const { signals, files } = hangingFiles();
  const models = new RoomModels(files);
  const [first, second] = [new AbortController(), new AbortController()];
  const reads = [models.read(MODEL, first.signal), models.read(MODEL, second.signal)];
  expect(signals).toHaveLength(1);
  first.abort();
  await expect(reads[0]).rejects.toMatchObject({ remedy: 'cancelled' });
  expect(signals[0]?.aborted).toBe(false);
  second.abort();
  await expect(reads[1]).rejects.toMatchObject({ remedy: 'cancelled' });
  expect(signals[0]?.aborted).toBe(true);
  const third = models.read(MODEL, AbortSignal.abort());
  await expect(third).rejects.toMatchObject({ remedy: 'cancelled' });
  expect(signals).toHaveLength(2);
});
