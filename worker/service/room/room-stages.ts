import { bytesInWords } from '../../bytes-in-words.ts';
import { MemoryError } from '../../errors.ts';
import type { StageOutput } from '../../generation/stage-executor.ts';
import type { Gpu } from '../../gpu/device.ts';
import { readResult } from '../../gpu/sampler.ts';
import type { ComputedInput, Effect, Input, RunEffect } from '../../mesh/room/io.ts';
import type { StageKey } from '../../mesh/room/messages.ts';
import type { MemoryClaims } from '../memory-claims.ts';
import { abortOf } from './abort-of.ts';
import { ROOM_SLOTS, type RoomModels } from './room-models.ts';
import { readRoomSampler } from './room-sampler.ts';
import { packStates, type Rows, unpackStates } from './rows.ts';
import { loadStageWork, type StageWork } from './stage-work.ts';

type BeginEffect = Extract<Effect<Rows>, { kind: 'begin' }>;

export interface RoomStagesOptions {
  readonly models: RoomModels;
  readonly claims: MemoryClaims;
  /** Opens the device's GPU; the one before, if any, is closed. */
  readonly openGpu: (budgetBytes: number) => Promise<Gpu>;
  /** Memory that the room may take here, bytes, with what other windows hold. */
  readonly budgetBytes: () => number;
  /** How hidden states leave here. */
  readonly wire: 'f16' | 'f32';
  readonly feed: (input: Input<Rows>) => void;
  /** Why a stage could not be loaded, or was lost, for people. */
  readonly onTrouble: (error: unknown) => void;
  /** Before a stage is loaded: what else has the GPU's memory here gives it back, unless the load is given up first. */
  readonly onLoading?: (signal: AbortSignal) => Promise<void>;
  /** Where stages are other than those of the GPU. */
  readonly loadWork?: typeof loadStageWork;
}

/** This device's stages of the room's models: loads them, computes what the room asks for, says what came of it. */
export class RoomStages {
  readonly #options: RoomStagesOptions;
  readonly #stages = new Map<string, OwnStage>();
  /** By the room's number of the slot. */
  readonly #slots = new Map<number, Place>();
  #gpu: Promise<Gpu> | undefined;
  /** Loads happen one after another, so that each finds the memory that the one before left. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: RoomStagesOptions) {
    this.#options = options;
  }

  load(key: StageKey): void {
    const own: OwnStage = { key, abort: new AbortController(), work: undefined, bytes: 0, locals: new Set() };
    this.#stages.set(nameOf(key), own);
    this.#last = this.#last.then(() => this.#load(own));
  }

  unload(key: StageKey): void {
    const own = this.#stages.get(nameOf(key));
    if (own === undefined) return;
    this.#stages.delete(nameOf(key));
    own.abort.abort();
    for (const [slot, place] of this.#slots) if (place.own === own) this.#slots.delete(slot);
    freeWork(own);
    // what is given back is there for others a little later, where it fails
    this.#last = this.#last.then(() => this.#claim()).catch(() => {});
  }

  begin({ stage, slot, session, keep, sampling }: BeginEffect): void {
    const own = this.#stages.get(nameOf(stage));
    const before = this.#slots.get(slot);
    if (before !== undefined && before.own !== own) this.free(slot);
    const place = this.#slots.get(slot) ?? this.#place(own, slot);
    if (place !== undefined) place.session = session;
    if (own?.work === undefined || place === undefined) {
      this.#lose(slot, session);
      return;
    }
    const { executor, spec } = own.work;
    executor.begin(place.local, keep);
    if (sampling === undefined) return;
    const sampler = readRoomSampler(sampling.sampler);
    const { tokens } = sampling;
    if (sampler === undefined || !areTokens(tokens, spec)) this.#lose(slot, session);
    else executor.setSampler(place.local, sampler, tokens, sampler.promptTokens);
  }

  run(effect: RunEffect<Rows>): void {
    const { slot, session, first, rows, tokens, input, sample } = effect;
    const place = this.#slots.get(slot);
    const work = place?.own.work;
    const hidden = work && input && unpackStates(input, rows, work.spec.hiddenSize);
    const isWhole = work && (input === undefined ? areTokens(tokens ?? [], work.spec) : hidden !== undefined);
    if (place === undefined || work === undefined || !isWhole) {
      this.#lose(slot, session);
      return;
    }
    const done = (output: StageOutput) => this.#options.feed(this.#computed(effect, output));
    work.executor.run({
      slot: place.local,
      first,
      rows,
      sample,
      done,
      ...(hidden === undefined ? { tokens: tokens ?? [] } : { hidden }),
    });
  }

  halt(slot: number): void {
    const place = this.#slots.get(slot);
    if (place !== undefined) place.own.work?.executor.halt(place.local);
  }

  free(slot: number): void {
    const place = this.#slots.get(slot);
    if (place === undefined) return;
    this.#slots.delete(slot);
    place.own.locals.delete(place.local);
    place.own.work?.executor.free(place.local);
  }

  /** GPU bytes that are taken now. */
  get takenBytes(): number {
    let bytes = 0;
    for (const own of this.#stages.values()) bytes += own.bytes;
    return bytes;
  }

  /** Loses the GPU device, as a driver's crash would. */
  async destroyDevice(): Promise<void> {
    (await this.#gpu)?.device.destroy();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { key } of [...this.#stages.values()]) this.unload(key);
    await this.#last;
    (await this.#gpu?.catch(() => undefined))?.close();
    await this.#options.claims.release();
  }

  async #load(own: OwnStage): Promise<void> {
    const { key, abort } = own;
    const { signal } = abort;
    const { models, feed, onTrouble, loadWork = loadStageWork } = this.#options;
    if (signal.aborted || this.#closed) return;
    try {
      own.work = await loadWork(key, {
        models,
        signal,
        openGpu: async () => {
          await Promise.race([this.#options.onLoading?.(signal), abortOf(signal)]);
          signal.throwIfAborted();
          return this.#openGpu();
        },
        claim: async (bytes) => {
          own.bytes = bytes;
          await this.#claim();
        },
        onProgress: (doneBytes, totalBytes) => feed({ kind: 'stage-progress', stage: key, doneBytes, totalBytes }),
        onSlotLost: (local) => this.#slotLost(own, local),
        onFailed: (error) => this.#failed(own, error),
      });
      if (own.work === undefined) return;
      // given up in the moment when it was done
      if (signal.aborted) freeWork(own);
      else feed({ kind: 'stage-ready', stage: key });
    } catch (error) {
      if (signal.aborted) return;
      own.bytes = 0;
      this.#stages.delete(nameOf(key));
      await this.#claim().catch(() => {});
      onTrouble(error);
      feed({ kind: 'stage-failed', stage: key });
    }
  }

  async #openGpu(): Promise<Gpu> {
    this.#gpu ??= this.#options.openGpu(this.#options.budgetBytes()).then((gpu) => {
      void gpu.failure.then((error) => this.#gpuLost(error));
      return gpu;
    });
    try {
      return await this.#gpu;
    } catch (error) {
      this.#gpu = undefined;
      throw error;
    }
  }

  /** Takes of the device's memory what the stages need: other windows of this computer see it. */
  async #claim(): Promise<void> {
    const needed = this.takenBytes;
    const { claims } = this.#options;
    const budgetBytes = this.#options.budgetBytes();
    const claimed = await claims.claim((others) => {
      if (needed <= budgetBytes - others) return needed;
      throw new MemoryError(
        `The layers that the room gave this device need ${bytesInWords(needed)}; ${bytesInWords(budgetBytes - others)} are left beside other windows.`,
        { neededBytes: needed, allowedBytes: budgetBytes - others },
      );
    });
    const gpu = await this.#gpu;
    if (gpu !== undefined) gpu.ledger.budgetBytes = Math.max(claimed, gpu.ledger.takenBytes);
  }

  async #gpuLost(error: unknown): Promise<void> {
    const gpu = await this.#gpu;
    this.#gpu = undefined;
    const lost = [...this.#stages.values()];
    this.#stages.clear();
    this.#slots.clear();
    for (const own of lost) {
      own.abort.abort();
      own.work?.executor.close();
    }
    gpu?.close();
    if (this.#closed) return;
    this.#options.onTrouble(error);
    for (const { key } of lost) this.#options.feed({ kind: 'stage-lost', stage: key });
  }

  #failed(own: OwnStage, error: unknown): void {
    if (own.abort.signal.aborted || this.#stages.get(nameOf(own.key)) !== own) return;
    this.unload(own.key);
    this.#options.onTrouble(error);
    this.#options.feed({ kind: 'stage-lost', stage: own.key });
  }

  #computed({ slot, session, attempt, first, rows }: RunEffect<Rows>, output: StageOutput): ComputedInput<Rows> {
    const computed = { kind: 'computed', slot, session, attempt, first, rows } as const;
    if (output.hidden !== undefined) return { ...computed, output: packStates(output.hidden, this.#options.wire) };
    if (output.result === undefined) return computed;
    const { token, finite, top } = readResult(output.result, 0);
    const extra: Rows = { type: 'u32', bytes: new Uint8Array(output.result.buffer) };
    return { ...computed, tokens: [token], ...(finite && top.length === 0 ? {} : { extra }) };
  }

  #place(own: OwnStage | undefined, slot: number): Place | undefined {
    if (own?.work === undefined) return undefined;
    const local = Array.from({ length: ROOM_SLOTS }, (_, i) => i).find((i) => !own.locals.has(i));
    if (local === undefined) return undefined;
    own.locals.add(local);
    const place = { own, local, session: '' };
    this.#slots.set(slot, place);
    return place;
  }

  #slotLost(own: OwnStage, local: number): void {
    for (const [slot, place] of this.#slots) {
      if (place.own === own && place.local === local) this.#lose(slot, place.session);
    }
  }

  /** The room counts the slot as free from then on. */
  #lose(slot: number, session: string): void {
    this.free(slot);
    this.#options.feed({ kind: 'slot-lost', slot, session });
  }
}

interface OwnStage {
  readonly key: StageKey;
  readonly abort: AbortController;
  work: StageWork | undefined;
  /** Planned, from when its load begins. */
  bytes: number;
  /** Slots of its executor that are taken. */
  readonly locals: Set<number>;
}

/** Where a slot of the room lies in a stage's executor, and whose it is now. */
interface Place {
  readonly own: OwnStage;
  readonly local: number;
  session: string;
}

function nameOf({ model, first, last }: StageKey): string {
  return `${first} ${last} ${model}`;
}

function freeWork(own: OwnStage): void {
  own.work?.executor.close();
  own.work?.free();
  own.work = undefined;
  own.bytes = 0;
}

function areTokens(tokens: readonly number[], { vocabulary }: StageWork['spec']): boolean {
  return tokens.every((token) => Number.isInteger(token) && token >= 0 && token < vocabulary);
}
