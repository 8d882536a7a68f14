/** The page of `npm run bench -- decode` and `-- prefill`: Shoal's engine and ONNX Runtime Web on one shape. */

import { GREEDY } from '../../tests/setup/greedy.mjs';
import { MAX_CHUNK_ROWS } from '../../worker/generation/chunks.ts';
import { Engine } from '../../worker/generation/engine.ts';
import { type Gpu, isSoftware, openGpu, type StorageType } from '../../worker/gpu/device.ts';
import { FixedPace } from '../kernels/fixed-pace.ts';
import { paperStage } from '../kernels/paper-stage.ts';
import { paperModel, SMOLLM2 } from '../kernels/shapes.ts';

/** The shape in 4 bits, the head too: what the other engine is given. */
const MODEL = paperModel(SMOLLM2, 'q4_0');
const BUDGET_BYTES = 2 ** 31;
const CONTEXT_TOKENS = 1024;
const PLAIN_READS = 7;
/** Reads of one submit where a read is shorter than submitting it. */
const READS_AT_ONCE = 32;

export interface Machine {
  readonly adapter: string;
  readonly software: boolean;
  /** What activations are kept in there. */
  readonly storage: StorageType;
}

export interface Times {
  /** For the prompt, and for each token after the first. */
  readonly promptMs: number;
  readonly tokenMs: number;
}

export interface ShoalTimes extends Times {
  readonly chunks: number;
  /** Bytes of weights that a token, or a chunk, reads; and milliseconds of a bare read of as many. */
  readonly weightBytes: number;
  readonly plainReadMs: number;
  /** Of them the head's, which only the last chunk of a prompt reads. */
  readonly headBytes: number;
}

async function findAdapter(): Promise<GPUAdapter> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('This browser offers no GPU.');
  return adapter;
}

async function machine(): Promise<Machine> {
  const { features, info } = await findAdapter();
  const { vendor, architecture, description } = info;
  const adapter = [vendor, architecture, description].filter(Boolean).join(' ');
  return { adapter, software: isSoftware(info), storage: features.has('shader-f16') ? 'f16' : 'f32' };
}

/** Answers a prompt, after one answer that does not count. */
async function shoal(promptTokens: number, answerTokens: number): Promise<ShoalTimes> {
  const gpu = await openGpu(await findAdapter(), { storage: 'auto', budgetBytes: BUDGET_BYTES });
  const { stage } = paperStage(gpu, MODEL, { contextTokens: CONTEXT_TOKENS, maxRows: MAX_CHUNK_ROWS });
  const rows = Math.min(MAX_CHUNK_ROWS, promptTokens);
  const engine = new Engine(stage, CONTEXT_TOKENS, 1, new FixedPace(rows));
  const answer = (conversation: string, tokens: number) =>
    engine.generate({
      conversation,
      // two prompts that have not even their first token in common: nothing is kept from one to the other
      tokens: Array.from({ length: promptTokens }, (_, i) => (conversation === 'warm' ? 100 : 5000) + i),
      sampler: GREEDY,
      maxTokens: tokens,
      onToken: () => false,
      signal: new AbortController().signal,
    });
  await answer('warm', 2);
  const { firstTokenMs, decodeMs } = await answer('measured', answerTokens);
  engine.close();
  const matrices = [...MODEL.tensors.values()].filter(({ rows }) => rows > 1);
  const weightBytes = matrices.reduce((sum, { bytes }) => sum + bytes, 0);
  stage.free();
  const plainReadMs = await plainRead(gpu, weightBytes);
  gpu.close();
  return {
    promptMs: firstTokenMs,
    tokenMs: decodeMs / (answerTokens - 1),
    chunks: Math.ceil(promptTokens / rows),
    weightBytes,
    plainReadMs,
    headBytes: MODEL.tensors.get('token_embd.weight')?.bytes ?? 0,
  };
}

/** Milliseconds in which the GPU reads so many bytes once and adds them up: the median of several. */
async function plainRead({ device, software }: Gpu, bytes: number): Promise<number> {
  const loadsPerThread = 16;
  const threads = 256;
  const workgroups = Math.ceil(bytes / (16 * threads * loadsPerThread));
  const code = `
    @group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
    @group(0) @binding(1) var<storage, read_write> sums: array<u32>;
    @compute @workgroup_size(${threads})
    fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
      var sum = vec4<u32>();
      for (var i = 0u; i < ${loadsPerThread}u; i++) {
        sum += data[id.x + i * workgroups.x * ${threads}u];
      }
      sums[id.x] = sum.x + sum.y + sum.z + sum.w;
    }`;
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code }), entryPoint: 'main' },
  });
  const usage = GPUBufferUsage.STORAGE;
  const data = device.createBuffer({ size: workgroups * threads * loadsPerThread * 16, usage });
  const sums = device.createBuffer({ size: workgroups * threads * 4, usage });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [data, sums].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const reads = software ? 1 : READS_AT_ONCE;
  const read = async () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < reads; i++) pass.dispatchWorkgroups(workgroups);
    pass.end();
    const begin = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return (performance.now() - begin) / reads;
  };
  await read(); // fills the buffer with zeros first
  const times: number[] = [];
  for (let i = 0; i < PLAIN_READS; i++) times.push(await read());
  data.destroy();
  sums.destroy();
  return times.sort((a, b) => a - b)[Math.floor(PLAIN_READS / 2)] ?? Number.NaN;
}

interface OnnxOptions {
  readonly model: string;
  readonly storage: StorageType;
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/** The same with ONNX Runtime Web: keys and values stay on the GPU, the likeliest token is found on the CPU. */
async function onnx({ model, storage, promptTokens, answerTokens }: OnnxOptions): Promise<Times> {
  const runtime = '/rival/ort.webgpu.bundle.min.mjs';
  const ort = await import(/* @vite-ignore */ runtime);
  ort.env.wasm.wasmPaths = '/rival/';
  ort.env.wasm.numThreads = 1;
  const { layers, kvHeads, headSize, vocabulary } = SMOLLM2;
  const names = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat();
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['webgpu'],
    preferredOutputLocation: Object.fromEntries(names.map((name) => [`present.${name}`, 'gpu-buffer'])),
  });
  const type = storage === 'f16' ? 'float16' : 'float32';
  const answer = async (count: number) => {
    const none = storage === 'f16' ? new Uint16Array(0) : new Float32Array(0);
    let kept = names.map(() => new ort.Tensor(type, none, [1, kvHeads, 0, headSize]));
    let ids = BigInt64Array.from({ length: promptTokens }, (_, i) => BigInt(100 + i));
    let length = 0;
    const times: number[] = [];
    for (let step = 0; step < count; step++) {
      const begin = performance.now();
      length += ids.length;
      const past = Object.fromEntries(names.map((name, i) => [`past.${name}`, kept[i]]));
      const result = await session.run({
        input_ids: new ort.Tensor('int64', ids, [1, ids.length]),
        seqlens_k: new ort.Tensor('int32', Int32Array.of(length - 1), [1]),
        total_sequence_length: new ort.Tensor('int32', Int32Array.of(length), []),
        ...past,
      });
      const logits = (await result.logits.getData()).subarray(-vocabulary);
      let best = 0;
      for (let i = 1; i < vocabulary; i++) if (logits[i] > logits[best]) best = i;
      for (const tensor of kept) if (tensor.location === 'gpu-buffer') tensor.dispose();
      kept = names.map((name) => result[`present.${name}`]);
      ids = BigInt64Array.of(BigInt(best));
      times.push(performance.now() - begin);
    }
    for (const tensor of kept) tensor.dispose();
    return times;
  };
  await answer(2);
  const [promptMs = Number.NaN, ...tokens] = await answer(answerTokens);
  await session.release();
  return { promptMs, tokenMs: tokens.reduce((sum, ms) => sum + ms, 0) / tokens.length };
}

const bench = { machine, shoal, onnx };
export type SpeedBench = typeof bench;
declare global {
  var speedBench: SpeedBench;
}
globalThis.speedBench = bench;
