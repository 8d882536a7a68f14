/** The worker of `npm run bench -- load`: the app's own cache, header reader, tokenizer and weight loader. */
import { expose } from 'comlink';
import { createStore, get } from 'idb-keyval';
import { type Gpu, openGpu } from '../../worker/gpu/device.ts';
import { STAGING_BYTES } from '../../worker/gpu/repack.ts';
import { readModelSpec, type StageTensor, stageTensors, wholeModel } from '../../worker/models/spec.ts';
import { allocateWeights, WeightLoader } from '../../worker/models/weights.ts';
import { BufferPool, readValue, SpareBuffers } from '../../worker/shards/buffers.ts';
import { READS_IN_FLIGHT } from '../../worker/shards/cached.ts';
import { fileKey, shardCount, shardsBetween } from '../../worker/shards/grid.ts';
import { type CachedFile, createShardStore, SHARD_BYTES } from '../../worker/shards/index.ts';
import { createTokenizer } from '../../worker/text/tokenizer.ts';
import type { Tokenizer } from '../../worker/text/types.ts';
import { readGgufHeader } from '../../worker/weights/gguf.ts';
import { httpSource } from '../../worker/weights/http-source.ts';
import type { Checkpoint } from '../../worker/weights/types.ts';

const DATABASE = 'load-bench';
const BALLAST_BYTES = 128 * 2 ** 20;
const GPU_BUDGET_BYTES = 4 * 2 ** 30;

const { signal } = new AbortController();
let file: CachedFile;
let checkpoint: Checkpoint | undefined;
let tokenizer: Tokenizer | undefined;
let gpu: Gpu | undefined;
/** Made by the first load, filled again by the others: taking and freeing a software GPU's memory takes its time. */
let allocated: ReturnType<typeof allocate> | undefined;
const spares = new SpareBuffers(SHARD_BYTES, READS_IN_FLIGHT);
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

  /**
   * Loads the model as a stage does: its shards in order, checked, handed to the loader that cuts rows from them and has
   * them repacked. `upload: false` leaves out what is put on the queue: the copies to the GPU, and the kernels there.
   */
  async load(upload = true) {
    if (!gpu || !checkpoint) throw new Error('openGpu and open come first');
    const { device } = gpu;
    const { tensors } = checkpoint;
    const spec = readModelSpec(checkpoint);
    const wanted = stageTensors(spec, wholeModel(spec));
    allocated ??= allocate(gpu, wanted, tensors);
    const loader = new WeightLoader({ gpu, ...allocated, wanted, tensors, ropeFactors: undefined });
    const indices = new Set(loader.ranges.flatMap(({ start, end }) => shardsBetween(start, end)));
    let fetchedBytes = 0;
    const onProgress = (progress: { fetchedBytes: number }) => {
      fetchedBytes = progress.fetchedBytes;
    };
    const putBack = upload ? () => {} : leaveOutUpload(device);
    let bytes = 0;
    await device.queue.onSubmittedWorkDone();
    const begin = performance.now();
    for await (const shard of file.shards([...indices], { signal, onProgress })) {
      bytes += shard.bytes.length;
      gpu.check();
      await loader.take(shard.offset, shard.bytes);
      shard.release();
    }
    loader.finish();
    const seconds = (performance.now() - begin) / 1000;
    putBack();
    return { layers: loader.layersDone, fetchedBytes, seconds, megabytesPerSecond: bytes / 1e6 / seconds };
  },

  /** Reads every shard through the cache, verified; returns MB/s. */
  async readCached(): Promise<number> {
    const indices = Array.from({ length: shardCount(file.size) }, (_, index) => index);
    const begin = performance.now();
    for await (const shard of file.shards(indices, { signal })) shard.release();
    return megabytesPerSecond(begin);
  },

  /** Reads the same records plainly, with `get` and `arrayBuffer`, and does nothing with them; returns MB/s. */
  readPlain(inFlight: number): Promise<number> {
    const read = recordReader();
    return readRecords(inFlight, async (index) => {
      await (await read(index)).arrayBuffer();
    });
  },

  /** Reads the same records into buffers that are there, as the cache does, without a check; returns MB/s. */
  async readPooled(inFlight: number): Promise<number> {
    const read = recordReader();
    const pool = new BufferPool(spares, inFlight);
    const rate = await readRecords(inFlight, async (index) => {
      const { buffer, bytes } = await readValue(await read(index), await pool.acquire(signal));
      if (!bytes) throw new Error(`shard ${index} cannot be read`);
      pool.release(buffer);
    });
    pool.close();
    return rate;
  },

  /** Takes so much memory that this process can be told from others; `shrink` gives it back. */
  grow(): number {
    ballast = new Uint8Array(BALLAST_BYTES).fill(1);
    return ballast.length;
  },

  shrink(): void {
    ballast = undefined;
    bench.collect();
  },

  /** Collects garbage where Chromium was started with `--expose-gc`: for the figures at rest alone. */
  collect(): void {
    (globalThis as { gc?: () => void }).gc?.();
  },
};

function allocate(gpu: Gpu, wanted: readonly StageTensor[], tensors: Checkpoint['tensors']) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  return {
    weights: allocateWeights(gpu, wanted, tensors),
    staging: gpu.ledger.buffer('staging', STAGING_BYTES, 'scratch', usage),
  };
}

/** Makes the device's calls that upload and repack do nothing; returns what undoes it. */
function leaveOutUpload(device: GPUDevice): () => void {
  const pass = { setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} };
  const encoder = { beginComputePass: () => pass, finish: () => ({}) };
  const replace = (object: object, name: string, value: () => unknown) => {
    Object.defineProperty(object, name, { value, configurable: true });
    return () => Reflect.deleteProperty(object, name);
  };
  const undo = [
    replace(device.queue, 'writeBuffer', () => {}),
    replace(device.queue, 'submit', () => {}),
    replace(device, 'createCommandEncoder', () => encoder),
  ];
  return () => {
    for (const putBack of undo) putBack();
  };
}

function recordReader(): (index: number) => Promise<Blob> {
  const store = createStore(DATABASE, 'records');
  const key = fileKey(file.identity);
  return async (index) => {
    const value = await get<Blob>(['shard', key, index], store);
    if (!value) throw new Error(`shard ${index} is missing`);
    return value;
  };
}

async function readRecords(inFlight: number, read: (index: number) => Promise<void>): Promise<number> {
  const count = shardCount(file.size);
  const reads: Promise<void>[] = [];
  let next = 0;
  const begin = performance.now();
  while (next < count || reads.length > 0) {
    while (reads.length < inFlight && next < count) reads.push(read(next++));
    await reads.shift();
  }
  return megabytesPerSecond(begin);
}

function megabytesPerSecond(begin: number): number {
  return file.size / 1e6 / ((performance.now() - begin) / 1000);
}

export type LoadBench = typeof bench;
expose(bench);
