/** A stage that computes nothing: it waits a set time. Before, it measures bare messages to where its rows will go. */
import type { StageRun } from '../../worker/generation/stage-executor.ts';
import { RESULT_WORDS } from '../../worker/gpu/sampler.ts';
import type { StageKey } from '../../worker/mesh/room/messages.ts';
import type { StageWork } from '../../worker/service/room/stage-work.ts';
import type { BareChannel, Way } from './lap-bare.ts';

export const VOCABULARY = 1000;
/** A model of the benchmark, as its key says: layers are one a device. */
export interface LapModel {
  readonly hiddenSize: number;
  readonly devices: number;
  readonly waitMs: number;
}

export function readLapModel(key: string): LapModel | undefined {
  const parts = key.match(/^lap (\d+) (\d+) (\d+)$/);
  if (!parts) return undefined;
  return { hiddenSize: Number(parts[1]), devices: Number(parts[2]), waitMs: Number(parts[3]) };
}

/** What a stage did in one lap. */
export interface Visit {
  /** With a bare message, which is no part of the lap. */
  readonly measuringMs: number;
  readonly ping: { readonly way: Way; readonly ms: number } | undefined;
  /** As long as the timer really took. */
  readonly waitedMs: number;
  /** On the clock of this device: when the lap went on after measuring. */
  readonly beginMs: number;
}

/** What of a stage's runs is measured. */
export class Measuring {
  readonly visits: Visit[] = [];
  readonly rows: number;
  readonly #next: () => BareChannel | undefined;
  readonly #bytes: number;
  readonly #pilotLaps: number;
  readonly #pilot: Record<Way, number[]> = { whole: [], sliced: [] };

  constructor(options: {
    readonly rows: number;
    /** Where the rows of this stage go; nowhere from the last one. */
    readonly next: () => BareChannel | undefined;
    /** Of the rows of a lap. */
    readonly bytes: number;
    /** Laps before the better way is chosen, in which both are tried. */
    readonly pilot: number;
  }) {
    this.rows = options.rows;
    this.#next = options.next;
    this.#bytes = options.bytes;
    this.#pilotLaps = options.pilot;
  }

  async ping(): Promise<Visit['ping']> {
    const way = this.#way();
    const ms = await this.#next()?.ping(this.#bytes, way);
    if (ms === undefined) return undefined;
    if (this.visits.length < this.#pilotLaps) this.#pilot[way].push(ms);
    return { way, ms };
  }

  /** In turn at first, then the better one. */
  #way(): Way {
    const { whole, sliced } = this.#pilot;
    if (this.visits.length < this.#pilotLaps) return sliced.length < whole.length ? 'sliced' : 'whole';
    return middle(whole) < middle(sliced) ? 'whole' : 'sliced';
  }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** Stands in for a stage on the GPU. */
export function waitingStage(
  { first, last }: StageKey,
  { hiddenSize, devices, waitMs }: LapModel,
  measuring: () => Measuring | undefined,
  beforeMeasuring: () => Promise<void>,
): StageWork {
  const isFirst = first === 0;
  const isLast = last === devices;
  let halts = 0;
  let work = Promise.resolve();

  const run = async ({ rows, sample, done }: StageRun, begun: number) => {
    const current = measuring();
    const isMeasured = current !== undefined && rows === current.rows;
    const arrivedMs = performance.now();
    let ping: Visit['ping'];
    if (isMeasured) {
      if (isFirst) await beforeMeasuring();
      if (begun !== halts) return;
      ping = await current.ping();
    }
    const beginMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (isMeasured) {
      current.visits.push({ measuringMs: beginMs - arrivedMs, ping, waitedMs: performance.now() - beginMs, beginMs });
    }
    if (begun !== halts) return;
    if (!isLast) done({ hidden: new Float32Array(rows * hiddenSize).fill(first + 1) });
    else if (!sample) done({});
    else {
      const result = new Uint32Array(RESULT_WORDS);
      result[0] = 7;
      done({ result });
    }
  };

  return {
    spec: { hiddenSize, vocabulary: VOCABULARY },
    free: () => {},
    executor: {
      begin: () => halts++,
      halt: () => halts++,
      free: () => halts++,
      close: () => halts++,
      setSampler: () => {},
      run: (wanted) => {
        const begun = halts;
        work = work.then(() => run(wanted, begun));
      },
    },
  };
}
