import { InternalError } from '../errors.ts';
import type { StorageType } from './device.ts';
import { type KvType, keptDims } from './kv.ts';

/** Positions of a block, as in shaders/attention_prefill.wgsl. */
const BLOCK = 32;
const ROWS_PER_THREAD = 4;
const DIMS_PER_THREAD = 8;
const UNIT_BYTES = 16;

/** Best first: more rows load keys and values less often, fewer chunks wait less often. */
const FORMS = [
  { tile: 32, chunks: 1 },
  { tile: 32, chunks: 2 },
  { tile: 16, chunks: 1 },
  { tile: 16, chunks: 2 },
  { tile: 8, chunks: 1 },
  { tile: 8, chunks: 2 },
  { tile: 8, chunks: 4 },
  { tile: 4, chunks: 4 },
] as const;

/** The constants of attention_prefill for a head size: the best form that the workgroup memory of a device has room for. */
export function prefillForm(storage: StorageType, kv: KvType, headSize: number, workgroupBytes: number) {
  const unitDims = storage === 'f16' ? 8 : 4;
  const headUnits = keptDims(kv, headSize) / unitDims;
  const keptRatio = kv === 'q8' ? 16 / unitDims : 1;
  /** Of keys in workgroup memory: with several chunks, the last may be padded. */
  const chunkUnitsOf = (chunks: number) => Math.ceil(headUnits / keptRatio / chunks) * keptRatio;
  const lanes = [8, 16, 32].find((count) => count * DIMS_PER_THREAD >= headSize) ?? 0;
  const form = FORMS.find(
    ({ tile, chunks }) => memoryBytes(storage, chunkUnitsOf(chunks), lanes, tile, chunks) <= workgroupBytes,
  );
  if (form === undefined) {
    throw new InternalError(
      `Attention over heads of ${headSize} does not fit ${workgroupBytes} bytes of workgroup memory.`,
    );
  }
  const { tile, chunks } = form;
  const threads = (tile / ROWS_PER_THREAD) * lanes;
  const laneUnits = DIMS_PER_THREAD / unitDims;
  const chunkUnits = chunkUnitsOf(chunks);
  const units = chunkUnits * chunks;
  const keyItems = (chunkUnits / keptRatio) * BLOCK;
  const valueLanes = (lanes * laneUnits) / keptRatio;
  const valueItems = (BLOCK / chunks) * valueLanes;
  return {
    tile,
    lanes,
    threads,
    units,
    laneUnits,
    keptRatio,
    chunks,
    chunkUnits,
    chunkPositions: BLOCK / chunks,
    keys: BLOCK / lanes,
    keyLoads: Math.ceil(keyItems / threads),
    keyGuard: keyItems % threads !== 0,
    valueLoads: Math.ceil(valueItems / threads),
    valueGuard: valueItems % threads !== 0 || valueLanes !== headUnits / keptRatio,
    padded: units !== headUnits,
  } as const;
}

function memoryBytes(storage: StorageType, chunkUnits: number, lanes: number, tile: number, chunks: number) {
  const fours = tile / ROWS_PER_THREAD;
  const queries = chunkUnits * chunks * tile * UNIT_BYTES;
  const kept = (chunkUnits * BLOCK + 1) * UNIT_BYTES;
  const weights = BLOCK * (fours + 1) * (storage === 'f16' ? 8 : 16);
  const shared = fours * (lanes + 1) * 16;
  return queries + kept + weights + shared;
}
