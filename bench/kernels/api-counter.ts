/** What was asked of WebGPU. */
export interface ApiCounts {
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly buffers: number;
  readonly readbacks: number;
  readonly readbackBytes: number;
}

const NOTHING: ApiCounts = {
  dispatches: 0,
  passes: 0,
  submits: 0,
  bindGroups: 0,
  buffers: 0,
  readbacks: 0,
  readbackBytes: 0,
};

/** Counts what is asked of a device, whoever asks, from now on. */
export class ApiCounter {
  #counts = { ...NOTHING };
  /** How many dispatches read or wrote each buffer since `forgetBinds`. */
  readonly binds = new Map<GPUBuffer, number>();
  readonly #groups = new WeakMap<GPUBindGroup, readonly GPUBuffer[]>();

  constructor(device: GPUDevice) {
    const { queue } = device;
    wrap(device, 'createBuffer', (buffer) => {
      this.#counts.buffers++;
      wrap(buffer, 'mapAsync', (_mapped, [, offset = 0, size = buffer.size - offset]) => {
        this.#counts.readbacks++;
        this.#counts.readbackBytes += size;
      });
    });
    wrap(device, 'createBindGroup', (group, [{ entries }]) => {
      this.#counts.bindGroups++;
      this.#groups.set(group, [...entries].map(bufferOf));
    });
    wrap(device, 'createCommandEncoder', (encoder) => {
      wrap(encoder, 'beginComputePass', (pass) => this.#watchPass(pass));
    });
    wrap(queue, 'submit', () => {
      this.#counts.submits++;
    });
  }

  get counts(): ApiCounts {
    return { ...this.#counts };
  }

  forgetBinds(): void {
    this.binds.clear();
  }

  #watchPass(pass: GPUComputePassEncoder): void {
    this.#counts.passes++;
    let bound: readonly GPUBuffer[] = [];
    wrap(pass, 'setBindGroup', (_, [, group]) => {
      bound = (group && this.#groups.get(group)) ?? [];
    });
    const dispatched = () => {
      this.#counts.dispatches++;
      for (const buffer of new Set(bound)) this.binds.set(buffer, (this.binds.get(buffer) ?? 0) + 1);
    };
    wrap(pass, 'dispatchWorkgroups', dispatched);
    wrap(pass, 'dispatchWorkgroupsIndirect', dispatched);
  }
}

export function difference(more: ApiCounts, less: ApiCounts): ApiCounts {
  return perUnit(less, more, 1);
}

/** What each of `per` units of work asked for, where work of one amount came to `less` and of another to `more`. */
export function perUnit(less: ApiCounts, more: ApiCounts, per: number): ApiCounts {
  const entries = Object.entries(more) as [keyof ApiCounts, number][];
  return Object.fromEntries(entries.map(([key, value]) => [key, (value - less[key]) / per])) as unknown as ApiCounts;
}

type Method = (...args: never[]) => unknown;

/** Calls `then` after each call of a method, with what it gave and what it was given. */
function wrap<T extends object, K extends keyof T & string>(
  object: T,
  name: K,
  then: T[K] extends Method ? (result: ReturnType<T[K]>, args: Parameters<T[K]>) => void : never,
): void {
  const method = (object[name] as Method).bind(object) as (...args: unknown[]) => unknown;
  Object.defineProperty(object, name, {
    configurable: true,
    writable: true,
    value: (...args: unknown[]) => {
      const result = method(...args);
      (then as unknown as (result: unknown, args: unknown[]) => void)(result, args);
      return result;
    },
  });
}

function bufferOf({ resource }: GPUBindGroupEntry): GPUBuffer {
  return 'buffer' in resource ? resource.buffer : (resource as GPUBuffer);
}
