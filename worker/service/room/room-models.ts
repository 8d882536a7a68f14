import { CancelledError, ModelError } from '../../errors.ts';
import { MAX_CHUNK_ROWS } from '../../generation/chunks.ts';
import type { ModelSizes } from '../../mesh/room/io.ts';
import type { DeviceProfile, ModelKey } from '../../mesh/types.ts';
import { KERNEL_SIZES } from '../../models/kernel-sizes.ts';
import { type ModelSpec, readModelSpec, type StageRange } from '../../models/spec.ts';
import { planStage, type StagePlan, type StageShape } from '../../planner/memory.ts';
import type { ModelFiles, OpenedModel } from '../model-files.ts';
import { abortOf } from './abort-of.ts';
import { isSameFile, readModelKey, sourceOf } from './model-key.ts';

/** Sessions that a stage serves at once; they share the pages of one full context. */
export const ROOM_SLOTS = 8;
/** A petabyte. */
const UNKNOWN_BYTES = 1e15;

/** A model of the room whose header was read here. */
export interface KnownModel {
  readonly opened: OpenedModel;
  readonly spec: ModelSpec;
  readonly contextTokens: number;
}

interface Reading {
  readonly abort: AbortController;
  readonly known: Promise<KnownModel>;
  readers: number;
}

/** The models that the room speaks of, as far as this device has read their headers. */
export class RoomModels implements ModelSizes {
  readonly #files: Pick<ModelFiles, 'open'>;
  readonly #known = new Map<ModelKey, KnownModel>();
  readonly #reading = new Map<ModelKey, Reading>();
  readonly #sizes = new Map<string, number>();

  constructor(files: Pick<ModelFiles, 'open'>) {
    this.#files = files;
  }

  known(model: ModelKey): KnownModel | undefined {
    return this.#known.get(model);
  }

  /**
   * Reads the header where it was not.
   * @throws ModelError where this device finds another file than the room means, and what opening a file throws
   */
  async read(model: ModelKey, signal: AbortSignal): Promise<KnownModel> {
    const known = this.#known.get(model);
    if (known !== undefined) return known;
    let reading = this.#reading.get(model);
    if (reading === undefined) {
      const abort = new AbortController();
      reading = { abort, readers: 0, known: this.#open(model, abort.signal) };
      this.#reading.set(model, reading);
    }
    // who asked first may give up while others wait for the same; when nobody waits any more it ends
    const { abort, known: opening } = reading;
    opening.catch(() => {}); // told to those who still wait
    reading.readers++;
    try {
      const read = await Promise.race([abortOf(signal), opening]);
      if (read === undefined) throw new CancelledError('Stopped.', {}, signal.reason);
      return read;
    } finally {
      reading.readers--;
      if (reading.readers === 0) {
        abort.abort();
        if (this.#reading.get(model) === reading) this.#reading.delete(model);
      }
    }
  }

  layers(model: ModelKey): number | undefined {
    return this.#known.get(model)?.spec.blocks.length;
  }

  /** More than any device has for a model that is not known here. */
  bytes(model: ModelKey, first: number, last: number, profile: DeviceProfile): number {
    const key = `${first} ${last} ${profile.storage} ${model}`;
    const known = this.#sizes.get(key);
    if (known !== undefined) return known;
    const bytes = this.plan(model, first, last, profile.storage)?.plan.totalBytes;
    if (bytes === undefined) return UNKNOWN_BYTES;
    this.#sizes.set(key, bytes);
    return bytes;
  }

  slots(): number {
    return ROOM_SLOTS;
  }

  vocabulary(model: ModelKey): number | undefined {
    return this.#known.get(model)?.spec.vocabulary;
  }

  contextTokens(model: ModelKey): number | undefined {
    return this.#known.get(model)?.contextTokens;
  }

  /** Everything that a stage of these layers allocates; undefined for a model that is not known here. */
  plan(
    model: ModelKey,
    first: number,
    last: number,
    storage: 'f16' | 'f32',
  ): { readonly range: StageRange; readonly shape: StageShape; readonly plan: StagePlan } | undefined {
    const known = this.#known.get(model);
    if (known === undefined) return undefined;
    const { spec, contextTokens, opened } = known;
    const range = { firstLayer: first, endLayer: last, embedding: first === 0, head: last === spec.blocks.length };
    const shape: StageShape = {
      contextTokens,
      sessions: 1,
      slots: ROOM_SLOTS,
      maxRows: MAX_CHUNK_ROWS,
      maxLogitRows: ROOM_SLOTS,
      storage,
    };
    return { range, shape, plan: planStage(spec, range, opened.checkpoint.tensors, shape, KERNEL_SIZES) };
  }

  async #open(model: ModelKey, signal: AbortSignal): Promise<KnownModel> {
    const wanted = readModelKey(model);
    const opened = await this.#files.open(sourceOf(wanted), signal);
    if (!isSameFile(wanted, opened.file.identity)) {
      throw new ModelError(
        `${opened.fileName} changed since the room chose it. Choose the model again, so that every device takes the same.`,
      );
    }
    const spec = readModelSpec(opened.checkpoint);
    const known = { opened, spec, contextTokens: Math.min(wanted.contextTokens, spec.contextTokens) };
    this.#known.set(model, known);
    return known;
  }
}
