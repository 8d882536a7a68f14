import { Gpu, type StorageType } from '../../worker/gpu/device.ts';
import { bindingsOf } from '../../worker/gpu/kernels.ts';
import type { Dispatch } from '../../worker/gpu/program.ts';
import { STEP_WORDS, writeStep } from '../../worker/gpu/step.ts';
import type { Stage } from '../../worker/models/stage.ts';
import type { StageWeights } from '../../worker/models/weights.ts';
import type { FormatName } from '../../worker/weights/types.ts';
import { countLoads } from './count-loads.ts';
import { paperStage } from './paper-stage.ts';
import { type ModelShape, type PaperModel, paperModel, SMOLLM2 } from './shapes.ts';

const BUDGET_BYTES = 2 ** 31;
const COUNT_BYTES = 256;

/** Products of 2048 x 2048 in every format, and of 576 x 1536 (the last of a layer) in every format. */
const WIDE: ModelShape = {
  ...SMOLLM2,
  name: '2048 x 2048',
  layers: 1,
  hiddenSize: 2048,
  heads: 32,
  kvHeads: 8,
  feedForward: 2048,
  vocabulary: 512,
};
const NARROW: ModelShape = { ...SMOLLM2, name: '576 x 1536', layers: 1, vocabulary: 512 };
const FORMATS: readonly FormatName[] = ['f32', 'f16', 'bf16', 'q8_0', 'q4_0', 'q4_1', 'q4_k', 'q6_k'];

const BATCHES = [1, 4];

export interface WeightLoads {
  readonly shape: string;
  readonly format: FormatName;
  readonly rows: number;
  readonly storage: StorageType;
  /** Bytes loaded over bytes that lie there, of the worst tensor: of planes with the weights' bits, and of scales. */
  readonly weights: number;
  readonly scales: number;
}

/** What the products of a step load of the weights' planes, counted on the GPU. */
export async function weightLoads(
  device: GPUDevice,
  storages: readonly StorageType[],
): Promise<readonly WeightLoads[]> {
  const loads: WeightLoads[] = [];
  for (const storage of storages) {
    const gpu = new Gpu(device, storage, true, BUDGET_BYTES, false);
    for (const format of FORMATS) {
      for (const shape of [WIDE, NARROW]) {
        const { stage, weights } = paperStage(gpu, modelFor(shape, format), { contextTokens: 64, maxRows: 4 });
        const planes = planesOf(weights, format);
        for (const rows of BATCHES) {
          const products = ({ kernel: { about } }: Dispatch) => about.role.startsWith('mat');
          const bytes = await countStep(stage, rows, 0, (buffer) => planes.has(buffer), products);
          const worst = { quants: 0, scales: 0 };
          for (const [buffer, kind] of planes) {
            worst[kind] = Math.max(worst[kind], (bytes.get(buffer) ?? 0) / buffer.size);
          }
          loads.push({ shape: shape.name, format, rows, storage, weights: worst.quants, scales: worst.scales });
        }
        stage.free();
      }
    }
  }
  return loads;
}

export interface KvLoads {
  readonly shape: string;
  readonly storage: StorageType;
  readonly kv: 'storage' | 'q8';
  /** Bytes of keys and values loaded over those that lie there. */
  readonly keysAndValues: number;
}

const KV_TOKENS = 1024;

/** What attention loads of the keys and values of 1,024 tokens for the next one, counted on the GPU. */
export async function kvLoads(
  device: GPUDevice,
  storages: readonly StorageType[],
  shapes: readonly ModelShape[],
): Promise<readonly KvLoads[]> {
  const loads: KvLoads[] = [];
  for (const storage of storages) {
    for (const shape of shapes) {
      for (const kv of ['storage', 'q8'] as const) {
        const gpu = new Gpu(device, storage, true, BUDGET_BYTES, false);
        const model = paperModel({ ...shape, layers: 1, feedForward: 256, vocabulary: 256 }, 'q8_0');
        const { stage } = paperStage(gpu, model, { contextTokens: KV_TOKENS, maxRows: 1, kv });
        const kept = gpu.ledger.byUse.kv;
        const decodes = ({ kernel: { about } }: Dispatch) => about.role === 'attention-decode';
        const bytes = await countStep(stage, 1, KV_TOKENS - 1, isKeysOrValues, decodes);
        const loaded = [...bytes.values()].reduce((sum, one) => sum + one, 0);
        loads.push({ shape: shape.name, storage, kv, keysAndValues: loaded / kept });
        stage.free();
      }
    }
  }
  return loads;
}

function isKeysOrValues({ label }: GPUBuffer): boolean {
  return /^(keys|values) \d+$/.test(label);
}

/** The embedding is no product here, and its format one that fits every width. */
function modelFor(shape: ModelShape, format: FormatName): PaperModel {
  const fits = shape.hiddenSize % 256 === 0 || !format.endsWith('_k');
  return paperModel(shape, (name) => {
    if (name === 'token_embd.weight') return 'q8_0';
    return fits || name.endsWith('ffn_down.weight') ? format : 'q8_0';
  });
}

function planesOf(weights: StageWeights, format: FormatName): Map<GPUBuffer, 'quants' | 'scales'> {
  const planes = new Map<GPUBuffer, 'quants' | 'scales'>();
  for (const [name, tensor] of weights.matrices) {
    if (name === 'token_embd.weight' || tensor.format.name !== format) continue;
    for (const part of tensor.parts) {
      for (const [i, buffer] of part.planes.entries()) {
        planes.set(buffer, tensor.format.planes[i]?.name === 'scales' ? 'scales' : 'quants');
      }
    }
  }
  return planes;
}

/**
 * Runs a step of `rows` rows at `position` and following.
 * @returns bytes that its dispatches of a kind loaded from each of the buffers
 */
async function countStep(
  stage: Stage,
  rows: number,
  position: number,
  watched: (buffer: GPUBuffer) => boolean,
  counted: (dispatch: Dispatch) => boolean,
): Promise<ReadonlyMap<GPUBuffer, number>> {
  const { device } = stage.gpu;
  const words = new Uint32Array(STEP_WORDS);
  const step = { token: 0, slot: 0, fromSampled: false, wantsLogits: false };
  writeStep(
    words,
    Array.from({ length: rows }, (_, i) => ({ ...step, position: position + i })),
    rows,
  );
  device.queue.writeBuffer(stage.buffer('step'), 0, words);
  const program = stage.program(rows, 0);
  await program.ready();
  const counting = await Promise.all(
    program.dispatches.map((dispatch) => (counted(dispatch) ? instrument(device, dispatch, watched) : undefined)),
  );
  const encoder = device.createCommandEncoder();
  for (const [i, instrumented] of counting.entries()) {
    const pass = encoder.beginComputePass();
    if (instrumented === undefined) program.encode(pass, i, i + 1);
    else instrumented.encode(pass);
    pass.end();
    instrumented?.copy(encoder);
  }
  device.queue.submit([encoder.finish()]);
  const bytes = new Map<GPUBuffer, number>();
  for (const instrumented of counting) {
    for (const [buffer, loaded] of (await instrumented?.read()) ?? []) {
      bytes.set(buffer, (bytes.get(buffer) ?? 0) + loaded);
    }
  }
  return bytes;
}

/** The dispatch with a kernel that counts what it loads from those of the buffers that it binds. */
async function instrument(
  device: GPUDevice,
  { kernel, buffers, grid }: Dispatch,
  watched: (buffer: GPUBuffer) => boolean,
) {
  const bindings = buffers.flatMap((buffer, binding) => (watched(buffer) ? [binding] : []));
  const { source, countsBinding } = countLoads(kernel.source, bindings);
  const { layout, pipeline } = await compile(device, kernel.name, source);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const counts = device.createBuffer({ size: COUNT_BYTES, usage });
  const read = device.createBuffer({ size: COUNT_BYTES, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const group = device.createBindGroup({
    layout,
    entries: [
      ...buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      { binding: countsBinding, resource: { buffer: counts } },
    ],
  });
  return {
    encode(pass: GPUComputePassEncoder) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...grid);
    },
    copy: (encoder: GPUCommandEncoder) => encoder.copyBufferToBuffer(counts, 0, read, 0, COUNT_BYTES),
    async read(): Promise<readonly (readonly [GPUBuffer, number])[]> {
      await read.mapAsync(GPUMapMode.READ);
      const bytes = new Uint32Array(read.getMappedRange().slice(0));
      read.destroy();
      counts.destroy();
      return bindings.map((binding, i) => {
        const buffer = buffers[binding];
        if (buffer === undefined) throw new Error(`${kernel.name} binds nothing at ${binding}.`);
        return [buffer, bytes[i] ?? 0] as const;
      });
    },
  };
}

interface Compiled {
  readonly layout: GPUBindGroupLayout;
  readonly pipeline: GPUComputePipeline;
}

const compiled = new WeakMap<GPUDevice, Map<string, Promise<Compiled>>>();

/** Once a device: formats share what is not theirs, and layers what is. */
function compile(device: GPUDevice, label: string, source: string): Promise<Compiled> {
  const known = compiled.get(device) ?? new Map<string, Promise<Compiled>>();
  compiled.set(device, known);
  const layout = device.createBindGroupLayout({ entries: bindingsOf(source) });
  const made =
    known.get(source) ??
    device
      .createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module: device.createShaderModule({ label, code: source }), entryPoint: 'main' },
      })
      .then((pipeline) => ({ layout, pipeline }));
  known.set(source, made);
  return made;
}
