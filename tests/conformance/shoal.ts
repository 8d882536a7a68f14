import { MAX_CHUNK_ROWS } from '../../worker/generation/chunks.ts';
import { Engine } from '../../worker/generation/engine.ts';
import { scoreTokens } from '../../worker/generation/score.ts';
import { type Gpu, openGpu } from '../../worker/gpu/device.ts';
import type { KvType } from '../../worker/gpu/kv.ts';
import type { ModelSpec } from '../../worker/models/spec.ts';
import type { Stage } from '../../worker/models/stage.ts';
import { openStage } from '../engine/open.ts';
import { PLAIN } from '../kernels/sampling.ts';
import { openNodeGpu } from '../setup/node-gpu.ts';
import type { Storage } from './compare.ts';
import type { EngineUnderTest } from './engine.ts';

const CONTEXT_TOKENS = 512;
const BUDGET_BYTES = 8 * 2 ** 30;
const CONVERSATION = 'conformance';

/** Shoal's engine on this process' GPU, one device for each storage. */
export class Shoal {
  /** What this adapter can store activations in. */
  readonly storages: readonly Storage[];
  readonly #adapters: GPU;
  readonly #gpus = new Map<Storage, Gpu>();

  private constructor(adapters: GPU, storages: readonly Storage[]) {
    this.#adapters = adapters;
    this.storages = storages;
  }

  /** A reason where this machine has no GPU and no software driver can be had. */
  static async start(): Promise<Shoal | { readonly skipped: string }> {
    try {
      const adapters = await openNodeGpu({ backend: 'vulkan' });
      const adapter = await adapters.requestAdapter();
      if (!adapter) return { skipped: 'WebGPU finds no adapter in Node' };
      return new Shoal(adapters, adapter.features.has('shader-f16') ? ['f32', 'f16'] : ['f32']);
    } catch (error) {
      return { skipped: error instanceof Error ? error.message : String(error) };
    }
  }

  /**
   * @param mutate changes what the engine knows of the model: a fault on purpose
   * @param kv how it keeps keys and values
   */
  async open(
    path: string,
    storage: Storage,
    mutate = (spec: ModelSpec) => spec,
    kv: KvType = 'storage',
  ): Promise<EngineUnderTest> {
    const gpu = await this.#gpu(storage);
    const { stage } = await openStage(gpu, path, { contextTokens: CONTEXT_TOKENS, slots: 1, mutate, kv });
    return new ShoalModel(stage);
  }

  close(): void {
    for (const gpu of this.#gpus.values()) gpu.close();
    this.#gpus.clear();
  }

  async #gpu(storage: Storage): Promise<Gpu> {
    const opened = this.#gpus.get(storage);
    if (opened) return opened;
    const adapter = await this.#adapters.requestAdapter();
    if (!adapter) throw new Error('WebGPU finds no adapter any more');
    const gpu = await openGpu(adapter, { storage, budgetBytes: BUDGET_BYTES });
    this.#gpus.set(storage, gpu);
    return gpu;
  }
}

class ShoalModel implements EngineUnderTest {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  logits(tokens: readonly number[], rowsAStep = MAX_CHUNK_ROWS): Promise<Float32Array[]> {
    return scoreTokens(this.#stage, tokens, rowsAStep);
  }

  async greedy(prompt: readonly number[], count: number): Promise<number[]> {
    const tokens: number[] = [];
    const engine = new Engine(this.#stage, CONTEXT_TOKENS, 1);
    try {
      await engine.generate({
        conversation: CONVERSATION,
        tokens: prompt,
        sampler: { ...PLAIN, temperature: 0 },
        maxTokens: count,
        onToken: ({ token }) => {
          tokens.push(token);
          return false;
        },
        signal: new AbortController().signal,
      });
    } finally {
      engine.close();
    }
    return tokens;
  }

  async close(): Promise<void> {
    this.#stage.free();
  }
}
