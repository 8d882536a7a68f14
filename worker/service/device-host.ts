import type { DeviceProblem, DeviceReport, HostFacts, Settings } from '../api.ts';
import { DeviceError } from '../errors.ts';
import { type Gpu, isSoftware, openGpu } from '../gpu/device.ts';
import { detectPlatform, deviceBudget } from '../planner/budget.ts';
import type { Interruption, LoadingNotes } from './loading-note.ts';
import type { MemoryClaims } from './memory-claims.ts';

/** What this device is and can do; opens its GPU. */
export class DeviceHost {
  readonly #host: HostFacts;
  readonly #notes: LoadingNotes;
  readonly #claims: MemoryClaims;
  #interruption: Interruption | undefined;
  readonly #hasStorage: boolean;

  constructor(
    host: HostFacts,
    notes: LoadingNotes,
    claims: MemoryClaims,
    interruption: Interruption | undefined,
    hasStorage: boolean,
  ) {
    this.#host = host;
    this.#notes = notes;
    this.#claims = claims;
    this.#interruption = interruption;
    this.#hasStorage = hasStorage;
  }

  /** Bytes that this window's models may take: the budget less what other windows hold. */
  async budgetBytes(settings: Settings): Promise<number> {
    const { budgetBytes } = await this.report(settings);
    return Math.max(0, budgetBytes - (await this.#claims.othersBytes()));
  }

  async report(settings: Settings): Promise<DeviceReport> {
    const problems: DeviceProblem[] = this.#hasStorage ? [] : ['no-storage'];
    const gpuApi = globalThis.navigator?.gpu as GPU | undefined;
    const adapter = await findAdapter();
    const platform = detectPlatform({ userAgent: navigator.userAgent, maxTouchPoints: this.#host.maxTouchPoints });
    const software = adapter !== undefined && isSoftware(adapter.info);
    const isFirefox = readsBackSlowly();
    if (!globalThis.isSecureContext) problems.push('insecure-context');
    else if (gpuApi === undefined) problems.push('no-webgpu');
    else if (adapter === undefined) problems.push('no-adapter');
    else if (isFirefox) problems.push('slow-readback');
    else if (software) problems.push('software-adapter');
    if (adapter !== undefined && !isFirefox && !adapter.features.has('shader-f16')) problems.push('no-f16');
    const budget = deviceBudget({
      platform,
      deviceMemoryGiB: (navigator as { readonly deviceMemory?: number }).deviceMemory,
      maxBufferBytes: adapter?.limits.maxBufferSize ?? 0,
    });
    const shrunk = await this.#notes.shrunkBudget();
    const chosen = Math.min(settings.budgetBytes ?? budget.defaultBytes, shrunk ?? Number.POSITIVE_INFINITY);
    return {
      compute: adapter === undefined || isFirefox ? 'none' : software ? 'software-gpu' : 'gpu',
      problems,
      adapter: {
        vendor: adapter?.info.vendor ?? '',
        architecture: adapter?.info.architecture ?? '',
        description: adapter?.info.description ?? '',
      },
      f16: adapter?.features.has('shader-f16') ?? false,
      maxBindingBytes:
        adapter === undefined ? 0 : Math.min(adapter.limits.maxStorageBufferBindingSize, adapter.limits.maxBufferSize),
      platform,
      budgetBytes: Math.min(chosen, budget.maxBytes),
      defaultBudgetBytes: budget.defaultBytes,
      maxBudgetBytes: budget.maxBytes,
      ...(this.#interruption === undefined ? {} : { interrupted: this.#interruption }),
    };
  }

  /** The person chose a budget: that a load did not end counts no more. */
  async forgetInterruption(): Promise<void> {
    await this.#notes.forgetShrunkBudget();
    this.#interruption = undefined;
  }

  /** A fresh device; the old one, if any, must be closed. Throws DeviceError where nothing is to be computed. */
  async open(settings: Settings, budgetBytes: number): Promise<Gpu> {
    if (readsBackSlowly()) {
      throw new DeviceError(
        'Firefox is too slow to hand results back from the GPU, so Shoal does not compute here. Use Safari 26, Chrome or Edge.',
        { reason: 'absent' },
      );
    }
    const adapter = await findAdapter();
    if (adapter === undefined) {
      throw new DeviceError(
        'This browser gives no GPU to the page. Use Safari 26, Chrome or Edge, over https or on localhost.',
        {
          reason: 'absent',
        },
      );
    }
    const { compilesAhead } = this.#host;
    return openGpu(adapter, { storage: settings.storage, budgetBytes, compilesAhead });
  }
}

/** Firefox takes up to 100 ms to hand a result back: ten words a second at best, whatever the GPU. */
function readsBackSlowly(): boolean {
  return /Firefox\//.test(navigator.userAgent);
}

async function findAdapter(): Promise<GPUAdapter | undefined> {
  const gpuApi = globalThis.navigator?.gpu as GPU | undefined;
  return (await gpuApi?.requestAdapter({ powerPreference: 'high-performance' })) ?? undefined;
}
