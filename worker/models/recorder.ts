import { InternalError } from '../errors.ts';
import { siluMul } from '../gpu/activation.ts';
import { attention } from '../gpu/attention.ts';
import type { Gpu } from '../gpu/device.ts';
import { embed } from '../gpu/embed.ts';
import type { KvType } from '../gpu/kv.ts';
import { linear } from '../gpu/linear.ts';
import { rmsNorm } from '../gpu/norm.ts';
import type { Dispatch } from '../gpu/program.ts';
import { ropeKv } from '../gpu/rope.ts';
import { rowStride } from '../gpu/row.ts';
import { sampler } from '../gpu/sampler.ts';
import type { GpuTensor } from '../gpu/tensor.ts';
import type { StageBuffer } from '../planner/memory.ts';
import type { BlockSpec, ModelSpec, StageRange } from './spec.ts';
import type { StageWeights } from './weights.ts';

/** What a step with logit rows ends in. */
export type StageEnd = 'logits' | 'token';

export interface RecordedStage {
  readonly gpu: Gpu;
  readonly spec: ModelSpec;
  readonly range: StageRange;
  readonly pagesPerSlot: number;
  readonly kv: KvType;
  readonly weights: StageWeights;
  readonly buffer: (name: StageBuffer) => GPUBuffer;
  /** Of each layer of the range. */
  readonly keys: readonly GPUBuffer[];
  readonly values: readonly GPUBuffer[];
}

/** Which kernels a stage's step dispatches, in order, over which buffers. */
export class StageRecorder {
  readonly #stage: RecordedStage;

  constructor(stage: RecordedStage) {
    this.#stage = stage;
  }

  /** A step of up to `rows` rows, of which up to `logitRows` want a next token. */
  record(rows: number, logitRows: number, ends: StageEnd): Dispatch[] {
    const list: Dispatch[] = [];
    if (this.#stage.range.embedding) {
      list.push(
        ...embed(this.#stage.gpu, {
          weight: this.#matrix('token_embd.weight'),
          step: this.#stage.buffer('step'),
          sampled: this.#stage.buffer('sampled'),
          hidden: this.#stage.buffer('hidden'),
          batch: rows,
        }),
      );
    }
    for (let layer = this.#stage.range.firstLayer; layer < this.#stage.range.endLayer; layer++) {
      const block = this.#stage.spec.blocks[layer];
      if (block !== undefined) list.push(...this.#attention(layer, block, rows), ...this.#mlp(layer, block, rows));
    }
    if (this.#stage.range.head && logitRows > 0) list.push(...this.#head(logitRows));
    if (this.#stage.range.head && logitRows > 0 && ends === 'token') list.push(...this.#sampler(logitRows));
    return list;
  }

  #attention(layer: number, { attention: spec }: BlockSpec, batch: number): Dispatch[] {
    const { gpu } = this.#stage;
    const local = layer - this.#stage.range.firstLayer;
    const keys = this.#stage.keys[local];
    const values = this.#stage.values[local];
    if (keys === undefined || values === undefined) throw new InternalError(`Layer ${layer} is not of this stage.`);
    const name = (part: string) => `blk.${layer}.${part}`;
    const normed = this.#stage.buffer('normed');
    const q = this.#stage.buffer('q');
    const shared = {
      step: this.#stage.buffer('step'),
      pages: this.#stage.buffer('pages'),
      keys,
      values,
      heads: spec.heads,
      kvHeads: spec.kvHeads,
      headSize: spec.headSize,
      pagesPerSlot: this.#stage.pagesPerSlot,
      kv: this.#stage.kv,
      batch,
    };
    const project = (part: string, y: GPUBuffer, yStride?: number) =>
      linear(gpu, {
        ...optional('yStride', yStride),
        weight: this.#matrix(name(`${part}.weight`)),
        ...optional('bias', this.#stage.weights.vectors.get(name(`${part}.bias`))),
        x: normed,
        y,
        batch,
        output: 'storage',
        accumulate: false,
      });
    return [
      ...this.#norm(name('attn_norm.weight'), batch),
      ...project('attn_q', q, rowStride(gpu.storage, spec.heads * spec.headSize)),
      ...project('attn_k', this.#stage.buffer('k')),
      ...project('attn_v', this.#stage.buffer('v')),
      ...ropeKv(gpu, {
        ...shared,
        q,
        k: this.#stage.buffer('k'),
        v: this.#stage.buffer('v'),
        ...optional('qNorm', this.#stage.weights.vectors.get(name('attn_q_norm.weight'))),
        ...optional('kNorm', this.#stage.weights.vectors.get(name('attn_k_norm.weight'))),
        rope: this.#stage.buffer('rope'),
        rotaryDims: this.#stage.spec.rope.dims,
        pairing: this.#stage.spec.rope.pairing,
        eps: this.#stage.spec.normEps,
      }),
      ...attention(gpu, {
        ...shared,
        q,
        output: this.#stage.buffer('attended'),
        scratch: this.#stage.buffer('attention-scratch'),
        scale: 1 / Math.sqrt(spec.headSize),
        ...optional('window', spec.window),
      }),
      ...linear(gpu, {
        weight: this.#matrix(name('attn_output.weight')),
        ...optional('bias', this.#stage.weights.vectors.get(name('attn_output.bias'))),
        x: this.#stage.buffer('attended'),
        y: this.#stage.buffer('hidden'),
        batch,
        output: 'f32',
        accumulate: true,
      }),
    ];
  }

  #mlp(layer: number, { mlp }: BlockSpec, batch: number): Dispatch[] {
    const name = (part: string) => `blk.${layer}.${part}`;
    const gate = this.#stage.buffer('gate');
    const up = this.#stage.buffer('up');
    const activated = this.#stage.buffer('activated');
    const project = (part: string, x: GPUBuffer, y: GPUBuffer, accumulate: boolean) =>
      linear(this.#stage.gpu, {
        weight: this.#matrix(name(`${part}.weight`)),
        ...optional('bias', this.#stage.weights.vectors.get(name(`${part}.bias`))),
        x,
        y,
        batch,
        output: accumulate ? 'f32' : 'storage',
        accumulate,
      });
    return [
      ...this.#norm(name('ffn_norm.weight'), batch),
      ...project('ffn_gate', this.#stage.buffer('normed'), gate, false),
      ...project('ffn_up', this.#stage.buffer('normed'), up, false),
      ...siluMul(this.#stage.gpu, { gate, up, output: activated, cols: mlp.size, batch }),
      ...project('ffn_down', activated, this.#stage.buffer('hidden'), true),
    ];
  }

  #head(logitRows: number): Dispatch[] {
    const lastNormed = this.#stage.buffer('last-normed');
    const logits = this.#stage.buffer('logits');
    return [
      ...rmsNorm(this.#stage.gpu, {
        input: this.#stage.buffer('hidden'),
        weight: this.#vector('output_norm.weight'),
        output: lastNormed,
        form: 'normed',
        cols: this.#stage.spec.hiddenSize,
        eps: this.#stage.spec.normEps,
        batch: logitRows,
        gather: this.#stage.buffer('step'),
      }),
      ...linear(this.#stage.gpu, {
        weight: this.#matrix(this.#stage.spec.tiedHead ? 'token_embd.weight' : 'output.weight'),
        x: lastNormed,
        y: logits,
        batch: logitRows,
        output: 'f32',
        accumulate: false,
      }),
    ];
  }

  #sampler(logitRows: number): Dispatch[] {
    return sampler(this.#stage.gpu, {
      logits: this.#stage.buffer('logits'),
      step: this.#stage.buffer('step'),
      settings: this.#stage.buffer('sampler-settings'),
      counts: this.#stage.buffer('counts'),
      scratch: this.#stage.buffer('sampler-scratch'),
      sampled: this.#stage.buffer('sampled'),
      results: this.#stage.buffer('results'),
      vocab: this.#stage.spec.vocabulary,
      logitRows,
    });
  }

  #norm(weight: string, batch: number): Dispatch[] {
    return rmsNorm(this.#stage.gpu, {
      input: this.#stage.buffer('hidden'),
      weight: this.#vector(weight),
      output: this.#stage.buffer('normed'),
      form: 'normed',
      cols: this.#stage.spec.hiddenSize,
      eps: this.#stage.spec.normEps,
      batch,
    });
  }

  #matrix(name: string): GpuTensor {
    const tensor = this.#stage.weights.matrices.get(name);
    if (tensor === undefined) throw new InternalError(`The stage was loaded without ${name}.`);
    return tensor;
  }

  #vector(name: string): GPUBuffer {
    const buffer = this.#stage.weights.vectors.get(name);
    if (buffer === undefined) throw new InternalError(`The stage was loaded without ${name}.`);
    return buffer;
  }
}

/** `{[key]: value}`, or nothing: optional properties are left out, not set to undefined. */
function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
