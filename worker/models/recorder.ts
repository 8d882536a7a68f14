import { InternalError } from '../errors.ts';
import { siluMul } from '../gpu/activation.ts';
import { attention } from '../gpu/attention.ts';
import type { Gpu } from '../gpu/device.ts';
import { embed } from '../gpu/embed.ts';
import { fusesQkv, gatedProduct, type QkvKind, type QkvProduct, qkvProduct, residualProduct } from '../gpu/fused.ts';
import type { KvType } from '../gpu/kv.ts';
import { linear } from '../gpu/linear.ts';
import type { VectorBatch } from '../gpu/matvec.ts';
import { type RmsNorm, rmsNorm } from '../gpu/norm.ts';
import type { Dispatch } from '../gpu/program.ts';
import { ropeKv } from '../gpu/rope.ts';
import { rowStride } from '../gpu/row.ts';
import { sampler } from '../gpu/sampler.ts';
import type { GpuTensor, JoinedTensor } from '../gpu/tensor.ts';
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

/**
 * Which kernels a stage's step dispatches, in order, over which buffers. Up to four rows, attention and feed-forward of a
 * layer are fused: products begin by what is left of the norm before them and end by what is done with them, where shapes
 * and formats allow; other steps have a kernel for each thing that is computed.
 */
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
    const halves = this.#halves(rows);
    let entered = false; // 'normed' holds the rows of the half that comes
    for (const [i, half] of halves.entries()) {
      if (!half.fused) {
        list.push(...half.record());
        entered = false;
        continue;
      }
      if (!entered) list.push(...this.#norm(half.norm, rows, 'entered'));
      const next = halves[i + 1];
      entered = next?.fused === true;
      list.push(...half.record(entered ? next?.norm : undefined));
    }
    if (this.#stage.range.head && logitRows > 0) list.push(...this.#head(logitRows));
    if (this.#stage.range.head && logitRows > 0 && ends === 'token') list.push(...this.#sampler(logitRows));
    return list;
  }

  /** Attention and feed-forward of every layer, in order: what each begins with, and how it is computed for so many rows. */
  #halves(rows: number): Half[] {
    const { range, spec } = this.#stage;
    const halves: Half[] = [];
    for (let layer = range.firstLayer; layer < range.endLayer; layer++) {
      const block = spec.blocks[layer];
      if (block === undefined) continue;
      const attention = `blk.${layer}.attn_norm.weight`;
      const mlp = `blk.${layer}.ffn_norm.weight`;
      const qkv = isVector(rows) ? this.#fusedQkv(layer, block) : undefined;
      if (!isVector(rows) || qkv === undefined) {
        halves.push({ norm: attention, fused: false, record: () => this.#attention(layer, block, rows) });
      } else {
        const record = (next?: string) => this.#fusedAttention(layer, block, rows, qkv, next);
        halves.push({ norm: attention, fused: true, record });
      }
      const gateUp = this.#gateUp(layer);
      if (!isVector(rows) || gateUp === undefined) {
        halves.push({ norm: mlp, fused: false, record: () => this.#mlp(layer, block, rows) });
      } else {
        halves.push({ norm: mlp, fused: true, record: (next) => this.#fusedMlp(layer, rows, gateUp, next) });
      }
    }
    return halves;
  }

  // ---------- few rows: products with what follows them in one kernel ----------

  /** The joined tensors of queries, keys and values, where one kernel can compute all that is done with each. */
  #fusedQkv(layer: number, { attention }: BlockSpec): QkvProduct['weights'] | undefined {
    const { spec, weights } = this.#stage;
    const joined = weights.joined.get(`blk.${layer}.attn_qkv`);
    const shape = { ...attention, rotaryDims: spec.rope.dims, pairing: spec.rope.pairing };
    if (joined === undefined || !fusesQkv(shape)) return undefined;
    return joined.map(({ tensor, names }) => ({ tensor, kinds: names.map(kindOf) }));
  }

  #gateUp(layer: number): JoinedTensor | undefined {
    const joined = this.#stage.weights.joined.get(`blk.${layer}.ffn_gate_up`);
    return joined?.length === 1 ? joined[0]?.tensor : undefined;
  }

  #fusedAttention(
    layer: number,
    { attention: spec }: BlockSpec,
    batch: VectorBatch,
    weights: QkvProduct['weights'],
    nextNorm: string | undefined,
  ): Dispatch[] {
    const { gpu } = this.#stage;
    const name = (part: string) => `blk.${layer}.${part}`;
    const shared = { ...this.#sharedByAttention(layer, spec), batch };
    const q = this.#stage.buffer('q');
    const attended = this.#stage.buffer('attended');
    return [
      ...qkvProduct(gpu, {
        ...shared,
        weights,
        x: this.#stage.buffer('normed'),
        q,
        ...optional('bias', this.#bias(['attn_q', 'attn_k', 'attn_v'].map(name))),
        ...optional('qNorm', this.#stage.weights.vectors.get(name('attn_q_norm.weight'))),
        ...optional('kNorm', this.#stage.weights.vectors.get(name('attn_k_norm.weight'))),
        ...this.#rotation(),
      }),
      ...attention(gpu, {
        ...shared,
        q,
        output: attended,
        scratch: this.#stage.buffer('attention-scratch'),
        scale: 1 / Math.sqrt(spec.headSize),
        ...optional('window', spec.window),
      }),
      ...this.#ontoHidden(name('attn_output'), attended, batch, nextNorm),
    ];
  }

  #fusedMlp(layer: number, batch: VectorBatch, gateUp: JoinedTensor, nextNorm: string | undefined): Dispatch[] {
    const name = (part: string) => `blk.${layer}.${part}`;
    const activated = this.#stage.buffer('activated');
    return [
      ...gatedProduct(this.#stage.gpu, {
        weight: gateUp,
        ...optional('bias', this.#bias(['ffn_gate', 'ffn_up'].map(name))),
        x: this.#stage.buffer('normed'),
        output: activated,
        eps: this.#stage.spec.normEps,
        batch,
      }),
      ...this.#ontoHidden(name('ffn_down'), activated, batch, nextNorm),
    ];
  }

  /** Adds a product to the hidden states, and where a fused half comes next makes the rows that it begins with. */
  #ontoHidden(part: string, x: GPUBuffer, batch: VectorBatch, nextNorm: string | undefined): Dispatch[] {
    const { gpu, weights } = this.#stage;
    const hidden = this.#stage.buffer('hidden');
    const product = {
      weight: this.#matrix(`${part}.weight`),
      ...optional('bias', weights.vectors.get(`${part}.bias`)),
      x,
      batch,
    };
    if (nextNorm === undefined) return residualProduct(gpu, { ...product, hidden });
    const next = { output: this.#stage.buffer('normed'), norm: this.#vector(nextNorm) };
    return residualProduct(gpu, { ...product, hidden, next });
  }

  /** The biases of joined tensors, which are in one buffer, where one of them has any. */
  #bias(parts: readonly string[]): GPUBuffer | undefined {
    return parts.map((part) => this.#stage.weights.vectors.get(`${part}.bias`)).find((buffer) => buffer !== undefined);
  }

  // ---------- any number of rows: a kernel for each thing that is computed ----------

  #sharedByAttention(layer: number, { heads, kvHeads, headSize }: BlockSpec['attention']) {
    const local = layer - this.#stage.range.firstLayer;
    const keys = this.#stage.keys[local];
    const values = this.#stage.values[local];
    if (keys === undefined || values === undefined) throw new InternalError(`Layer ${layer} is not of this stage.`);
    return {
      step: this.#stage.buffer('step'),
      pages: this.#stage.buffer('pages'),
      keys,
      values,
      heads,
      kvHeads,
      headSize,
      pagesPerSlot: this.#stage.pagesPerSlot,
      kv: this.#stage.kv,
    };
  }

  #rotation() {
    const { rope, normEps } = this.#stage.spec;
    return { rope: this.#stage.buffer('rope'), rotaryDims: rope.dims, pairing: rope.pairing, eps: normEps };
  }

  #attention(layer: number, { attention: spec }: BlockSpec, batch: number): Dispatch[] {
    const { gpu } = this.#stage;
    const name = (part: string) => `blk.${layer}.${part}`;
    const normed = this.#stage.buffer('normed');
    const q = this.#stage.buffer('q');
    const shared = { ...this.#sharedByAttention(layer, spec), batch };
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
      ...this.#norm(name('attn_norm.weight'), batch, 'normed'),
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
        ...this.#rotation(),
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
      ...this.#norm(name('ffn_norm.weight'), batch, 'normed'),
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

  #norm(weight: string, batch: number, form: RmsNorm['form']): Dispatch[] {
    return rmsNorm(this.#stage.gpu, {
      input: this.#stage.buffer('hidden'),
      weight: this.#vector(weight),
      output: this.#stage.buffer('normed'),
      form,
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

/** Attention or feed-forward of a layer. */
interface Half {
  /** Weights of the norm that it begins with. */
  readonly norm: string;
  /** It takes from 'normed' rows that are not yet divided by their root mean square. */
  readonly fused: boolean;
  /** @param nextNorm of a fused half that follows: what it takes is then left in 'normed' */
  record(nextNorm?: string): Dispatch[];
}

function isVector(rows: number): rows is VectorBatch {
  return rows === 1 || rows === 2 || rows === 4;
}

function kindOf(tensor: string): QkvKind {
  const [, kind] = /attn_([qkv])\.weight$/.exec(tensor) ?? [];
  if (kind !== 'q' && kind !== 'k' && kind !== 'v') throw new InternalError(`${tensor} is no query, key or value.`);
  return kind;
}

/** `{[key]: value}`, or nothing: optional properties are left out, not set to undefined. */
function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
