import type { LoadEvent } from '../api.ts';
import { shardsOf } from '../models/load.ts';
import { readModelSpec, stageTensors, wholeModel } from '../models/spec.ts';
import { bytesOf } from '../shards/grid.ts';
import type { TensorInfo } from '../weights/types.ts';
import { LoadProgress } from './load-progress.ts';
import type { OpenedModel } from './model-files.ts';

/**
 * Brings what is missing of a model into the cache, and nothing to the GPU: while another model answers there. What came
 * is the published file, or ModelError is thrown.
 */
export async function fetchModel(
  { checkpoint, file }: OpenedModel,
  signal: AbortSignal,
  onEvent: (event: LoadEvent) => void,
): Promise<void> {
  const spec = readModelSpec(checkpoint);
  const tensors = stageTensors(spec, wholeModel(spec)).flatMap(({ name, layer }) => {
    const info = checkpoint.tensors.get(name);
    return info === undefined ? [] : [{ layer, info }];
  });
  const shards = shardsOf(tensors.map(({ info }) => ({ start: info.offset, end: endOf(info) })));
  const missing = await file.missing(shards);
  if (missing.length === 0) return;
  const totalBytes = bytesOf(file.size, shards);
  const keptBytes = totalBytes - bytesOf(file.size, missing);
  const layerEnds = new Map<number, number>();
  for (const { layer, info } of tensors) {
    if (layer !== undefined) layerEnds.set(layer, Math.max(layerEnds.get(layer) ?? 0, endOf(info)));
  }
  const progress = new LoadProgress(onEvent);
  const onProgress = (now: Parameters<LoadProgress['take']>[0]) =>
    progress.take({ ...now, doneBytes: now.doneBytes + keptBytes, totalBytes });
  try {
    for await (const shard of file.shards(missing, { signal, onProgress })) {
      const reached = shard.offset + shard.bytes.length;
      shard.release();
      progress.layersDone = [...layerEnds.values()].filter((end) => end <= reached).length;
    }
    await file.verifyWhole(signal);
  } finally {
    progress.stop();
  }
}

function endOf({ offset, bytes }: TensorInfo): number {
  return offset + bytes;
}
