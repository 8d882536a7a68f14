import { InternalError } from '../errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { Program } from '../gpu/program.ts';
import { PAGE_POSITIONS } from '../gpu/step.ts';
import type { StageBuffer, StagePlan } from '../planner/memory.ts';
import { type StageEnd, StageRecorder } from './recorder.ts';
import { ropeTable } from './rope.ts';
import type { ModelSpec, StageRange } from './spec.ts';
import { freeWeights, type StageWeights } from './weights.ts';

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
  readonly #kv: readonly GPUBuffer[];
  readonly #recorder: StageRecorder;
  readonly #programs = new Map<string, Program>();

  /** Takes over `weights`: they are freed with the stage. */
  constructor(gpu: Gpu, spec: ModelSpec, range: StageRange, plan: StagePlan, weights: StageWeights) {
    this.gpu = gpu;
    this.spec = spec;
    this.range = range;
    this.plan = plan;
    this.#weights = weights;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const keys: GPUBuffer[] = [];
    const values: GPUBuffer[] = [];
    try {
      for (const { name, bytes } of plan.buffers) {
        const used = name === 'step' ? usage | GPUBufferUsage.UNIFORM : usage;
        if (name !== 'readback') this.#buffers.set(name, gpu.ledger.buffer(name, bytes, 'scratch', used));
      }
      for (let layer = range.firstLayer; layer < range.endLayer; layer++) {
        keys.push(gpu.ledger.buffer(`keys ${layer}`, plan.kvLayerBytes, 'kv', usage));
        values.push(gpu.ledger.buffer(`values ${layer}`, plan.kvLayerBytes, 'kv', usage));
      }
    } catch (error) {
      for (const buffer of [...this.#buffers.values(), ...keys, ...values]) gpu.ledger.free(buffer);
      throw error;
    }
    this.#kv = [...keys, ...values];
    this.#recorder = new StageRecorder({
      gpu,
      spec,
      range,
      pagesPerSlot: plan.pagesPerSlot,
      kv: plan.kv,
      weights,
      buffer: (name) => this.buffer(name),
      keys,
      values,
    });
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
      program = new Program(this.gpu.device, this.#recorder.record(rows, logitRows, ends));
      this.#programs.set(key, program);
    }
    return program;
  }

  async prepare(rows: number, logitRows: number, ends: StageEnd = 'token'): Promise<void> {
    await this.program(rows, logitRows, ends).ready();
  }

  free(): void {
    const { ledger } = this.gpu;
    for (const buffer of [...this.#buffers.values(), ...this.#kv]) ledger.free(buffer);
    freeWeights(this.gpu, this.#weights);
    this.#programs.clear();
  }
}
