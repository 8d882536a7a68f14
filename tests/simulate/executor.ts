import type { Effect, Input, RunEffect } from '../../worker/mesh/room/io.ts';
import type { StageKey } from '../../worker/mesh/room/messages.ts';
import { isSameStage } from '../../worker/mesh/room/placement-order.ts';
import type { Constants } from './constants.ts';
import { Chains, embed, sample } from './stand-in.ts';

type BeginEffect = Extract<Effect<number[]>, { kind: 'begin' }>;
export type Computed = Extract<Input<number[]>, { kind: 'computed' }>;

interface Place {
  readonly stage: StageKey;
  chains: Chains;
  seed: number;
  /** Of a last stage: the tokens said so far. */
  tokens: number[];
}

/** Stands in for a device's engine: one step after the other, each with rows of several sessions of one stage. */
export class Executor {
  readonly #constants: Constants;
  readonly #stepMs: number;
  readonly #places: (Place | undefined)[] = [];
  #queue: RunEffect<number[]>[] = [];
  #isBusy = false;
  /** Slots whose memory is the same by mistake: a fault to be planted. */
  memoryOf: (slot: number) => number = (slot) => slot;

  constructor(constants: Constants, stepMs: number) {
    this.#constants = constants;
    this.#stepMs = stepMs;
  }

  /** The slot's memory stays as it is: only the count of what is valid is cut, and that the room keeps. */
  begin({ stage, slot, sampling }: BeginEffect): void {
    const { first, last } = stage;
    const memory = this.memoryOf(slot);
    let place = this.#places[memory];
    if (place === undefined || !isSameStage(place.stage, stage)) {
      place = { stage, chains: new Chains(first, last), seed: 0, tokens: [] };
      this.#places[memory] = place;
    }
    if (sampling === undefined) return;
    place.seed = (sampling.sampler as { seed: number }).seed;
    place.tokens = [...sampling.tokens];
  }

  /** Buffers are freed, and what lay in them is gone. */
  unload(stage: StageKey): void {
    this.#places.forEach((place, memory) => {
      if (place !== undefined && isSameStage(place.stage, stage)) this.#places[memory] = undefined;
    });
  }

  run(run: RunEffect<number[]>): void {
    this.#queue.push(run);
  }

  halt(slot: number): void {
    if (this.#queue.some((run) => run.slot === slot)) this.#queue = this.#queue.filter((run) => run.slot !== slot);
  }

  /** Computes the next step if none is under way: its results, and how long it takes. */
  next(): { results: Computed[]; takesMs: number } | undefined {
    const oldest = this.#queue[0];
    if (this.#isBusy || oldest === undefined) return undefined;
    const { stage } = oldest;
    const results: Computed[] = [];
    const later: RunEffect<number[]>[] = [];
    let rows = 0;
    for (const run of this.#queue) {
      const sameStage = run.stage === stage || (run.stage.first === stage.first && run.stage.model === stage.model);
      const fits = rows === 0 || rows + run.rows <= this.#constants.rowsAStep;
      if (!sameStage || !fits || later.some(({ slot }) => slot === run.slot)) {
        later.push(run);
        continue;
      }
      rows += run.rows;
      results.push(this.#compute(run));
    }
    this.#queue = later;
    this.#isBusy = true;
    const share = (stage.last - stage.first) / this.#constants.layers;
    return { results, takesMs: this.#stepMs * share + rows * this.#constants.rowMs };
  }

  done(): void {
    this.#isBusy = false;
  }

  #compute(run: RunEffect<number[]>): Computed {
    const { slot, session, attempt, first, rows, sample: wantsToken } = run;
    const place = this.#places[this.memoryOf(slot)] as Place;
    const output = new Array<number>(rows);
    for (let i = 0; i < rows; i++) {
      const input = run.tokens === undefined ? (run.input?.[i] as number) : embed(run.tokens[i] as number);
      output[i] = place.chains.row(first + i, input);
    }
    const computed = { kind: 'computed' as const, slot, session, attempt, first, rows };
    if (!wantsToken) return { ...computed, output };
    const position = first + rows - 1;
    const token = sample(output[rows - 1] as number, position, place.seed, place.tokens);
    place.tokens.push(token);
    return { ...computed, tokens: [token] };
  }
}
