import { openStage } from '../tests/engine/open.ts';
import { GREEDY } from '../tests/setup/greedy.mjs';
import { openNodeGpu } from '../tests/setup/node-gpu.ts';
import { ensureSmollm2 } from '../tests/setup/smollm2.ts';
import { Engine } from '../worker/generation/engine.ts';
import type { TokenRequest } from '../worker/generation/run.ts';
import { StepRunner } from '../worker/generation/steps.ts';
import { openGpu } from '../worker/gpu/device.ts';
import { type ModelSpec, type StageRange, wholeModel } from '../worker/models/spec.ts';
import { ApiCounter, type ApiCounts, difference, perUnit } from './kernels/api-counter.ts';
import { FixedPace } from './kernels/fixed-pace.ts';
import { MODELS } from './kernels/list.ts';
import { kvLoads, weightLoads } from './kernels/loads.ts';
import { paperGpu, USUAL } from './kernels/paper-gpu.ts';
import { paperStage } from './kernels/paper-stage.ts';
import { LLAMA_1B, type ModelShape, paperModel, QWEN3_4B, SMOLLM2 } from './kernels/shapes.ts';
import type { BenchOptions } from './run.mjs';

export const about = 'what a token asks of WebGPU, and what kernels load over the least that there is to load';
export const needs = ['software-gpu'] as const;

const BUDGET_BYTES = 2 ** 31;
const CHUNK_ROWS = 256;
/** A chunk without a token, then one row with the first token: what follows decodes at a context of 256 and more. */
const PROMPT_TOKENS = CHUNK_ROWS + 1;
const FEW_TOKENS = 8;
const MANY_TOKENS = 24;
const FEW_LAYERS = 10;
const STORAGES = ['f16', 'f32'] as const;

export async function run({ args, log }: BenchOptions): Promise<Record<string, unknown>> {
  if (args.includes('--loads')) return loadFigures(log);
  const file = await ensureSmollm2();
  if ('skipped' in file) throw new Error(file.skipped);

  log('SmolLM2 decodes, whole and cut to ten layers');
  const whole = await decodeCounts(file.file, wholeModel);
  const cut = await decodeCounts(file.file, (spec) => ({ ...wholeModel(spec), endLayer: FEW_LAYERS }));
  const dispatchesPerLayer = (whole.token.dispatches - cut.token.dispatches) / (whole.layers - cut.layers);

  log('a mixture of Q4_K and Q6_K decodes');
  const mixed = await mixedDispatches();

  const { measured, ...loads } = args.includes('--calls') ? { measured: {} } : await loadFigures(log);
  const { token } = whole;
  const bufferBytes = [{ model: 'SmolLM2-135M, the file', ratio: whole.weightBytesOverFile }, ...paperBufferBytes()];
  return {
    dispatchesPerLayer,
    dispatchesOutsideLayers: token.dispatches - dispatchesPerLayer * whole.layers,
    dispatchesPerLayerMixed: mixed,
    submitsPerToken: token.submits,
    passesPerToken: token.passes,
    bindGroupsPerToken: token.bindGroups,
    buffersCreatedPerToken: token.buffers,
    readbacksPerToken: token.readbacks,
    readbackBytesPerToken: token.readbackBytes,
    weightBufferBytesOverFile: worst(bufferBytes.map(({ ratio }) => ratio)),
    ...loads,
    weightBindsPerChunk: whole.bindsPerChunk,
    measured: { bufferBytes, ...measured },
  };
}

async function loadFigures(log: (line: string) => void) {
  const device = await deviceWithSpareBinding();
  log('loads of weights');
  const weights = await weightLoads(device, STORAGES);
  log('loads of keys and values');
  const kv = await kvLoads(device, STORAGES, [SMOLLM2, LLAMA_1B, QWEN3_4B]);
  device.destroy();
  return {
    weightLoadsOverLeast: worst(weights.map((loads) => loads.weights)),
    scaleLoadsOverLeast: worst(weights.map((loads) => loads.scales)),
    kvLoadsOverLeast: worst(kv.map(({ keysAndValues }) => keysAndValues)),
    measured: { weights, kv },
  };
}

interface DecodeCounts {
  readonly layers: number;
  /** Of one token. */
  readonly token: ApiCounts;
  /** Most dispatches that bind the same weights in one chunk of a prompt. */
  readonly bindsPerChunk: number;
  readonly weightBytesOverFile: number;
}

async function decodeCounts(file: string, rangeOf: (spec: ModelSpec) => StageRange): Promise<DecodeCounts> {
  const gpu = await openGpu(await findAdapter(), { storage: 'auto', budgetBytes: BUDGET_BYTES });
  const counter = new ApiCounter(gpu.device);
  const contextTokens = 512;
  const { stage, checkpoint } = await openStage(gpu, file, { contextTokens, range: rangeOf });
  const weightBytes = gpu.ledger.byUse.weights;
  const engine = new Engine(stage, contextTokens, 4, new FixedPace(CHUNK_ROWS));
  const decode = async (maxTokens: number) => {
    const before = counter.counts;
    counter.forgetBinds();
    let binds = 0;
    const run = await engine.generate({
      ...REQUEST,
      maxTokens,
      onPrefill: (done) => {
        if (done === CHUNK_ROWS) binds = mostWeightBinds(counter.binds);
      },
    });
    if (run.answerTokens !== maxTokens)
      throw new Error(`${run.answerTokens} tokens came; ${maxTokens} were asked for.`);
    return { counts: difference(counter.counts, before), binds };
  };
  const { binds } = await decode(2);
  const few = await decode(FEW_TOKENS);
  const many = await decode(MANY_TOKENS);
  engine.close();
  const { firstLayer, endLayer } = stage.range;
  stage.free();
  gpu.close();
  return {
    layers: endLayer - firstLayer,
    token: perUnit(few.counts, many.counts, MANY_TOKENS - FEW_TOKENS),
    bindsPerChunk: binds,
    weightBytesOverFile: weightBytes / [...checkpoint.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

const REQUEST: Omit<TokenRequest, 'maxTokens'> = {
  conversation: 'one',
  tokens: Array.from({ length: PROMPT_TOKENS }, (_, i) => 300 + ((i * 37) % 1000)),
  sampler: GREEDY,
  onToken: () => false,
  signal: new AbortController().signal,
};

/** Of the matrices of layers: how often a chunk bound each. Tensors that lie in one buffer are in its label. */
function mostWeightBinds(binds: ReadonlyMap<GPUBuffer, number>): number {
  let most = 0;
  for (const [{ label }, count] of binds) {
    const isMatrix = /^blk\.\d+\..*\.weight \w+$/.test(label);
    if (isMatrix) most = Math.max(most, count / label.split(', ').length);
  }
  return most;
}

/** As Q4_K_M mixes them over thirty layers, but small. */
const MIXED: ModelShape = {
  ...SMOLLM2,
  name: 'mixture',
  hiddenSize: 256,
  heads: 4,
  kvHeads: 2,
  feedForward: 512,
  vocabulary: 256,
};

/** Dispatches of a layer, over layers in which one in three has Q6_K beside Q4_K. */
async function mixedDispatches(): Promise<number> {
  const gpu = await openGpu(await findAdapter(), { storage: 'auto', budgetBytes: BUDGET_BYTES });
  const model = paperModel(MIXED, 'q4_k_m');
  const counter = new ApiCounter(gpu.device);
  const dispatchesOf = async (endLayer: number) => {
    const range = { ...wholeModel(model.spec), endLayer };
    const { stage } = paperStage(gpu, model, { contextTokens: 512, maxRows: 1, range });
    const steps = new StepRunner(stage, new FixedPace(CHUNK_ROWS));
    await steps.prepare(1, 1);
    const before = counter.counts;
    await steps.submit([{ token: 1, position: 256, slot: 0, fromSampled: false, wantsLogits: true }]);
    const { dispatches } = difference(counter.counts, before);
    steps.free();
    stage.free();
    return dispatches;
  };
  const all = MIXED.layers;
  const dispatches = ((await dispatchesOf(all)) - (await dispatchesOf(FEW_LAYERS))) / (all - FEW_LAYERS);
  gpu.close();
  return dispatches;
}

/** What the weights take on the GPU over what the file has them in. */
function paperBufferBytes(): readonly { readonly model: string; readonly ratio: number }[] {
  return MODELS.map((model) => {
    const gpu = paperGpu('f16', USUAL);
    paperStage(gpu, model, { contextTokens: 64, maxRows: 1 });
    const fileBytes = [...model.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    return { model: model.name, ratio: gpu.ledger.byUse.weights / fileBytes };
  });
}

/** Counting takes one binding more than kernels are made for. */
async function deviceWithSpareBinding(): Promise<GPUDevice> {
  const adapter = await findAdapter();
  const { limits } = adapter;
  return adapter.requestDevice({
    requiredFeatures: ['shader-f16'],
    requiredLimits: {
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: Math.min(limits.maxComputeWorkgroupStorageSize, 32 * 1024),
      maxComputeInvocationsPerWorkgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, 1024),
      maxComputeWorkgroupSizeX: Math.min(limits.maxComputeWorkgroupSizeX, 1024),
    },
  });
}

/** One for each device: an adapter gives no second. */
async function findAdapter(): Promise<GPUAdapter> {
  const adapter = await (await openNodeGpu({ backend: 'vulkan' })).requestAdapter();
  if (adapter === null) throw new Error('There is no GPU here, not even one in software.');
  return adapter;
}

function worst(values: readonly number[]): number {
  return Math.max(...values);
}
