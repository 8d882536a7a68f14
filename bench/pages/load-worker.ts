/** The worker of `npm run bench -- load`: the app's own cache, header reader, tokenizer and weight loader. */
import { expose } from 'comlink';
import { createStore, get } from 'idb-keyval';
import { type Gpu, openGpu } from '../../worker/gpu/device.ts';
import { readModelSpec, stageTensors, wholeModel } from '../../worker/models/spec.ts';
import { WeightLoader } from '../../worker/models/weights.ts';
import { freeBuffer, readValue } from '../../worker/shards/buffers.ts';
import { fileKey, shardCount, shardsBetween } from '../../worker/shards/grid.ts';
import { type CachedFile, createShardStore, SHARD_BYTES } from '../../worker/shards/index.ts';
import { createTokenizer } from '../../worker/text/tokenizer.ts';
import type { Tokenizer } from '../../worker/text/types.ts';
import { readGgufHeader } from '../../worker/weights/gguf.ts';
import { httpSource } from '../../worker/weights/http-source.ts';
import type { Checkpoint } from '../../worker/weights/types.ts';

const DATABASE = 'load-bench';
const RAW_READS_IN_FLIGHT = 4;
const BALLAST_BYTES = 128 * 2 ** 20;
const GPU_BUDGET_BYTES = 4 * 2 ** 30;

const { signal } = new AbortController();
let file: CachedFile;
let checkpoint: Checkpoint | undefined;
let tokenizer: Tokenizer | undefined;
let gpu: Gpu | undefined;
let ballast: Uint8Array | undefined;

const bench = {
  /** Opens the model through the cache and reads its header. */
  async open(address: string): Promise<void> {
    const store = await createShardStore({ database: DATABASE });
    const source = await httpSource({ address, signal });
    file = await store.open(source.identity, source.size, source);
    checkpoint = await readGgufHeader((start, end, stop) => file.readRange(start, end, stop), file.size, signal);
  },

  /** Makes the tokenizer, and keeps of the header what a model at work keeps. Returns its tokens. */
  vocabulary(): number {
    if (!checkpoint) throw new Error('open comes first');
    tokenizer = createTokenizer(checkpoint.metadata);
    const names = new Set(['tokenizer.ggml.tokens', 'tokenizer.ggml.merges', 'tokenizer.ggml.token_type']);
    checkpoint = { ...checkpoint, metadata: new Map([...checkpoint.metadata].filter(([key]) => !names.has(key))) };
    return tokenizer.size;
  },

  async openGpu(): Promise<boolean> {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) return false;
    gpu = await openGpu(adapter, { storage: 'f32', budgetBytes: GPU_BUDGET_BYTES });
    return true;
  },

  /** Loads the model as a stage does: its shards in order, repacked, to the GPU. */
  async load() {
    if (!gpu || !checkpoint) throw new Error('openGpu and open come first');
    const spec = readModelSpec(checkpoint);
    const loader = new WeightLoader(gpu, stageTensors(spec, wholeModel(spec)), checkpoint.tensors, undefined);
    let fetchedBytes = 0;
    const onProgress = (progress: { fetchedBytes: number }) => {
      fetchedBytes = progress.fetchedBytes;
    };
    const indices = new Set(loader.ranges.flatMap(({ start, end }) => shardsBetween(start, end)));
    const begin = performance.now();
    for await (const shard of file.shards([...indices], { signal, onProgress })) {
      gpu.check();
      await loader.take(shard.offset, shard.bytes);
      shard.release();
    }
    loader.finish();
    const seconds = (performance.now() - begin) / 1000;
    const layers = loader.layersDone;
    loader.free();
    return { layers, fetchedBytes, seconds };
  },

  /** Reads every shard through the cache, verified; returns MB/s. */
  async readCached(): Promise<number> {
    const indices = Array.from({ length: shardCount(file.size) }, (_, index) => index);
    const begin = performance.now();
    for await (const shard of file.shards(indices, { signal })) shard.release();
    return megabytesPerSecond(begin);
  },

  /** Reads the same records into buffers that are there, and does nothing with them; returns MB/s. */
  async readRaw(inFlight = RAW_READS_IN_FLIGHT): Promise<number> {
    const store = createStore(DATABASE, 'records');
    const key = fileKey(file.identity);
    const count = shardCount(file.size);
    const buffers = Array.from({ length: inFlight }, () => new ArrayBuffer(SHARD_BYTES));
    const read = async (index: number) => {
      const value = await get<Blob>(['shard', key, index], store);
      const { buffer, bytes } = await readValue(value as Blob, buffers.pop() as ArrayBuffer);
      if (!bytes) throw new Error(`shard ${index} cannot be read`);
      buffers.push(buffer);
    };
    const reads: Promise<void>[] = [];
    let next = 0;
    const begin = performance.now();
    while (next < count || reads.length > 0) {
      while (reads.length < inFlight && next < count) reads.push(read(next++));
      await reads.shift();
    }
    const rate = megabytesPerSecond(begin);
    for (const buffer of buffers) freeBuffer(buffer);
    return rate;
  },

  /** Takes so much memory that this process can be told from others; `shrink` gives it back. */
  grow(): void {
    ballast = new Uint8Array(BALLAST_BYTES).fill(1);
  },

  shrink(): void {
    if (ballast) freeBuffer(ballast.buffer);
    ballast = undefined;
  },

  /** Collects garbage where Chromium was started with `--expose-gc`: for the figures at rest alone. */
  collect(): void {
    (globalThis as { gc?: () => void }).gc?.();
  },
};

function megabytesPerSecond(begin: number): number {
  return file.size / 1e6 / ((performance.now() - begin) / 1000);
}

export type LoadBench = typeof bench;
expose(bench);
