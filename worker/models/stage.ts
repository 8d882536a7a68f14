import { InternalError } from '../errors.ts';
import { siluMul } from '../gpu/activation.ts';
import { attention } from '../gpu/attention.ts';
import type { Gpu } from '../gpu/device.ts';
import { embed } from '../gpu/embed.ts';
import { linear } from '../gpu/linear.ts';
import { rmsNorm } from '../gpu/norm.ts';
import { type Dispatch, Program } from '../gpu/program.ts';
import { ropeKv } from '../gpu/rope.ts';
import { sampler } from '../gpu/sampler.ts';
import { PAGE_POSITIONS } from '../gpu/step.ts';
import type { GpuTensor } from '../gpu/tensor.ts';
import type { StageBuffer, StagePlan } from '../planner/memory.ts';
import { ropeTable } from './rope.ts';
import type { BlockSpec, ModelSpec, StageRange } from './spec.ts';
import { freeWeights, type StageWeights } from './weights.ts';

/** What a step with logit rows ends in. */
export type StageEnd = 'logits' | 'token';

/**
 * One device's contiguous layers of a model, on its GPU: weights, pages of keys and values, scratch, and for each
 * batch bucket a recorded program. It takes rows of any sessions (token ids where it embeds, hidden states where not)
 * and leaves hidden states, or logits and sampled tokens where it has the head. It knows no session and no mesh.
 */
export class Stage {
  readonly gpu: Gpu;
  readonly spec: ModelSpec;
  readonly range: StageRange;
  readonly plan: StagePlan;
  readonly #weights: StageWeights;
  readonly #buffers = new Map<StageBuffer, GPUBuffer>();
  readonly #keys: GPUBuffer[] = [];
  readonly #values: GPUBuffer[] = [];
  readonly #programs = new Map<string, Program>();

  /** Takes over `weights`: they are freed with the stage. */
  constructor(gpu: Gpu, spec: ModelSpec, range: StageRange, plan: StagePlan, weights: StageWeights) {
    this.gpu = gpu;
    this.spec = spec;
    this.range = range;
    this.plan = plan;
    this.#weights = weights;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    for (const { name, bytes } of plan.buffers) {
      if (name !== 'readback') this.#buffers.set(name, gpu.ledger.buffer(name, bytes, 'scratch', usage));
    }
    for (let layer = range.firstLayer; layer < range.endLayer; layer++) {
      this.#keys.push(gpu.ledger.buffer(`keys ${layer}`, plan.kvLayerBytes, 'kv', usage));
      this.#values.push(gpu.ledger.buffer(`values ${layer}`, plan.kvLayerBytes, 'kv', usage));
    }
  }

  /** Fills the table of rotations. @param factors divides each frequency (Llama 3.1 and later) */
  writeRope(factors: Float32Array | undefined): void {
    const positions = this.plan.pagesPerSlot * PAGE_POSITIONS;
    this.gpu.device.queue.writeBuffer(this.buffer('rope'), 0, ropeTable(this.spec.rope, positions, factors));
  }

  buffer(name: StageBuffer): GPUBuffer {
    const buffer = this.#buffers.get(name);
    if (buffer === undefined) throw new InternalError(`This stage has no buffer ${name}.`);
    return buffer;
  }

  /**
   * The program of a step of up to `rows` rows (a bucket), of which up to `logitRows` (a bucket; 0 without head or in
   * the middle of a prompt) want a next token. Built at first use; compile it before with `prepare`.
   * @param ends 'logits' leaves out the sampling, for those who want nothing else
   */
  program(rows: number, logitRows: number, ends: StageEnd = 'token'): Program {
    const key = `${rows}/${logitRows}/${ends}`;
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = new Program(this.gpu.device, this.#record(rows, logitRows, ends));
      this.#programs.set(key, program);
    }
    return program;
  }

  async prepare(rows: number, logitRows: number, ends: StageEnd = 'token'): Promise<void> {
    await this.program(rows, logitRows, ends).ready();
  }

  free(): void {
    const { ledger } = this.gpu;
    for (const buffer of [...this.#buffers.values(), ...this.#keys, ...this.#values]) ledger.free(buffer);
    freeWeights(this.gpu, this.#weights);
    this.#programs.clear();
  }

  #record(rows: number, logitRows: number, ends: StageEnd): Dispatch[] {
    const list: Dispatch[] = [];
    if (this.range.embedding) {
      list.push(
        ...embed(this.gpu, {
          weight: this.#matrix('token_embd.weight'),
          step: this.buffer('step'),
          sampled: this.buffer('sampled'),
          hidden: this.buffer('hidden'),
          batch: rows,
        }),
      );
    }
    for (let layer = this.range.firstLayer; layer < this.range.endLayer; layer++) {
      const block = this.spec.blocks[layer];
      if (block !== undefined) list.push(...this.#attention(layer, block, rows), ...this.#mlp(layer, block, rows));
    }
    if (this.range.head && logitRows > 0) list.push(...this.#head(logitRows));
    if (this.range.head && logitRows > 0 && ends === 'token') list.push(...this.#sampler(logitRows));
    return list;
  }

  #attention(layer: number, { attention: spec }: BlockSpec, batch: number): Dispatch[] {
    const { gpu } = this;
    const local = layer - this.range.firstLayer;
    const keys = this.#keys[local];
    const values = this.#values[local];
    if (keys === undefined || values === undefined) throw new InternalError(`Layer ${layer} is not of this stage.`);
    const name = (part: string) => `blk.${layer}.${part}`;
    const normed = this.buffer('normed');
    const q = this.buffer('q');
    const shared = {
      step: this.buffer('step'),
      pages: this.buffer('pages'),
      keys,
      values,
      heads: spec.heads,
      kvHeads: spec.kvHeads,
      headSize: spec.headSize,
      pagesPerSlot: this.plan.pagesPerSlot,
      batch,
    };
    const project = (part: string, y: GPUBuffer) =>
      linear(gpu, {
        weight: this.#matrix(name(`${part}.weight`)),
        ...optional('bias', this.#weights.vectors.get(name(`${part}.bias`))),
        x: normed,
        y,
        batch,
        output: 'storage',
        accumulate: false,
      });
    return [
      ...this.#norm(name('attn_norm.weight'), batch),
      ...project('attn_q', q),
      ...project('attn_k', this.buffer('k')),
      ...project('attn_v', this.buffer('v')),
      ...ropeKv(gpu, {
        ...shared,
        q,
        k: this.buffer('k'),
        v: this.buffer('v'),
        ...optional('qNorm', this.#weights.vectors.get(name('attn_q_norm.weight'))),
        ...optional('kNorm', this.#weights.vectors.get(name('attn_k_norm.weight'))),
        rope: this.buffer('rope'),
        rotaryDims: this.spec.rope.dims,
        pairing: this.spec.rope.pairing,
        eps: this.spec.normEps,
      }),
      ...attention(gpu, {
        ...shared,
        q,
        output: this.buffer('attended'),
        scratch: this.buffer('attention-scratch'),
        scale: 1 / Math.sqrt(spec.headSize),
        ...optional('window', spec.window),
      }),
      ...linear(gpu, {
        weight: this.#matrix(name('attn_output.weight')),
        ...optional('bias', this.#weights.vectors.get(name('attn_output.bias'))),
        x: this.buffer('attended'),
        y: this.buffer('hidden'),
        batch,
        output: 'f32',
        accumulate: true,
      }),
    ];
  }

  #mlp(layer: number, { mlp }: BlockSpec, batch: number): Dispatch[] {
    const name = (part: string) => `blk.${layer}.${part}`;
    const gate = this.buffer('gate');
    const up = this.buffer('up');
    const activated = this.buffer('activated');
    const project = (part: string, x: GPUBuffer, y: GPUBuffer, accumulate: boolean) =>
      linear(this.gpu, {
        weight: this.#matrix(name(`${part}.weight`)),
        ...optional('bias', this.#weights.vectors.get(name(`${part}.bias`))),
        x,
        y,
        batch,
        output: accumulate ? 'f32' : 'storage',
        accumulate,
      });
    return [
      ...this.#norm(name('ffn_norm.weight'), batch),
      ...project('ffn_gate', this.buffer('normed'), gate, false),
      ...project('ffn_up', this.buffer('normed'), up, false),
      ...siluMul(this.gpu, { gate, up, output: activated, cols: mlp.size, batch }),
      ...project('ffn_down', activated, this.buffer('hidden'), true),
    ];
  }

  #head(logitRows: number): Dispatch[] {
    const lastNormed = this.buffer('last-normed');
    const logits = this.buffer('logits');
    return [
      ...rmsNorm(this.gpu, {
        input: this.buffer('hidden'),
        weight: this.#vector('output_norm.weight'),
        output: lastNormed,
        cols: this.spec.hiddenSize,
        eps: this.spec.normEps,
        batch: logitRows,
        gather: this.buffer('step'),
      }),
      ...linear(this.gpu, {
        weight: this.#matrix(this.spec.tiedHead ? 'token_embd.weight' : 'output.weight'),
        x: lastNormed,
        y: logits,
        batch: logitRows,
        output: 'f32',
        accumulate: false,
      }),
    ];
  }

  #sampler(logitRows: number): Dispatch[] {
    return sampler(this.gpu, {
      logits: this.buffer('logits'),
      step: this.buffer('step'),
      settings: this.buffer('sampler-settings'),
      counts: this.buffer('counts'),
      scratch: this.buffer('sampler-scratch'),
      sampled: this.buffer('sampled'),
      results: this.buffer('results'),
      vocab: this.spec.vocabulary,
      logitRows,
    });
  }

  #norm(weight: string, batch: number): Dispatch[] {
    return rmsNorm(this.gpu, {
      input: this.buffer('hidden'),
      weight: this.#vector(weight),
      output: this.buffer('normed'),
      cols: this.spec.hiddenSize,
      eps: this.spec.normEps,
      batch,
    });
  }

  #matrix(name: string): GpuTensor {
    const tensor = this.#weights.matrices.get(name);
    if (tensor === undefined) throw new InternalError(`The stage was loaded without ${name}.`);
    return tensor;
  }

  #vector(name: string): GPUBuffer {
    const buffer = this.#weights.vectors.get(name);
    if (buffer === undefined) throw new InternalError(`The stage was loaded without ${name}.`);
    return buffer;
  }
}

/** `{[key]: value}`, or nothing: optional properties are left out, not set to undefined. */
function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
