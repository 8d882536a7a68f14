import type { ModelKey, Placement, PlacementId } from '../types.ts';
import { FORGET_MS, PLACEMENTS_KEPT } from './constants.ts';
import { MODELS_KNOWN, PLACEMENTS_OF_A_MODEL } from './limits.ts';
import type { StageKey } from './messages.ts';
import type { Use, Users } from './use.ts';

/** Of an epoch: the lower part is the proposer's incarnation, the rest the round, which rises. */
export const INCARNATIONS = 256;
/** Models of which it is remembered how high their placements were. */
const MOST_FORGOTTEN = 256;

/**
 * The epoch of a proposal: of the round after the highest that the proposer knows. A device that has forgotten what it
 * proposed before it was loaded again does not give another proposal the same name.
 */
export function nextEpoch(highest: number, incarnation: number): number {
  return (roundOf(highest) + 1) * INCARNATIONS + (incarnation % INCARNATIONS);
}

/** Proposals of one round did not know of one another. */
export function roundOf(epoch: number): number {
  return Math.floor(epoch / INCARNATIONS);
}

/** The round in which a person laid the model over the devices that this proposal is of, or repairs. */
export function roundLaid({ id, laid }: Placement): number {
  const own = roundOf(id.epoch);
  return laid === undefined ? own : Math.min(laid, own);
}

/** What frames carry of an epoch: its lower 32 bits. With session and attempt they are enough to tell what is current. */
export function fenceOf({ epoch }: PlacementId): number {
  return epoch % 2 ** 32;
}

/** Greater than 0 where a is the higher one: by epoch, then by proposer. Of one model. */
export function comparePlacements(a: PlacementId, b: PlacementId): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  return a.proposer < b.proposer ? -1 : a.proposer > b.proposer ? 1 : 0;
}

export function isSamePlacement(a: PlacementId, b: PlacementId): boolean {
  return a.epoch === b.epoch && a.proposer === b.proposer && a.model === b.model;
}

export function isSameStage(a: StageKey, b: StageKey): boolean {
  return a.first === b.first && a.last === b.last && a.model === b.model;
}

/** Why a placement can be of no use: undefined where its stages follow one another from layer 0 on. */
export function placementFault(placement: Placement): string | undefined {
  let next = 0;
  for (const { first, last } of placement.stages) {
    if (first !== next || !Number.isInteger(last) || last <= first)
      return `layers [${first}, ${last}) after layer ${next}`;
    next = last;
  }
  return next === 0 ? 'no stages' : undefined;
}

/** A placement with what this device remembers of it. */
export interface KnownPlacement {
  placement: Placement;
  /** When it was heard of, awake ms. */
  readonly learnedMs: number;
  /** Since when all its stages were there but not all links; undefined: not so now. */
  unlinkedSinceMs: number | undefined;
}

const RANK: Record<Users, number> = { nobody: 0, others: 1, self: 2 };

/** The placements of each model that a device knows, highest first; of both no more than a few, those in use first. */
export class PlacementBook {
  readonly #use: Pick<Use, 'ofPlacement' | 'ofModel'>;
  readonly #models = new Map<ModelKey, KnownPlacement[]>();
  /** When somebody ran or held the model last, or it was placed; awake ms. */
  readonly #usedMs = new Map<ModelKey, number>();
  /** Of models that were forgotten the highest epoch. Not taken in anew: nobody uses it, some may name it still. */
  readonly #past = new Map<ModelKey, { readonly epoch: number; readonly laid: number; isShut: boolean }>();
  version = 0;

  constructor(use: Pick<Use, 'ofPlacement' | 'ofModel'> = UNUSED) {
    this.#use = use;
  }

  models(): Iterable<ModelKey> {
    return this.#models.keys();
  }

  /** What a person laid over the devices last comes first: all devices that know of the same placements agree on it. */
  newestFirst(): readonly ModelKey[] {
    return [...this.#models.keys()].sort((a, b) => this.laidIn(b) - this.laidIn(a) || (a < b ? -1 : 1));
  }

  of(model: ModelKey): readonly KnownPlacement[] {
    return this.#models.get(model) ?? [];
  }

  highest(model: ModelKey): KnownPlacement | undefined {
    return this.#models.get(model)?.[0];
  }

  get(id: PlacementId): KnownPlacement | undefined {
    return this.of(id.model).find(({ placement }) => isSamePlacement(placement.id, id));
  }

  /**
   * True where it is new, can be of use, and there is room for it among those that are.
   * @param isOwn a proposal of this device, for which the model in least use gives way
   */
  add(placement: Placement, nowMs: number, isOwn = false): boolean {
    if (placementFault(placement) !== undefined) return false;
    const { model } = placement.id;
    let known = this.#models.get(model);
    if (known === undefined) {
      if (this.hasForgotten(placement.id) || !this.#makeRoom(isOwn)) return false;
      this.#usedMs.set(model, nowMs);
      known = [];
      this.#models.set(model, known);
    }
    let at = 0;
    for (; at < known.length; at++) {
      const order = comparePlacements(placement.id, (known[at] as KnownPlacement).placement.id);
      if (order === 0) return this.#hearMore(known[at] as KnownPlacement, placement);
      if (order > 0) break;
    }
    known.splice(at, 0, { placement, learnedMs: nowMs, unlinkedSinceMs: undefined });
    if (known.length > PLACEMENTS_OF_A_MODEL && this.#dropLeast(known) === placement) return false;
    this.version++;
    return true;
  }

  /** True where a placement that came through a device of an older version comes with the round in which it was laid. */
  #hearMore(known: KnownPlacement, { laid }: Placement): boolean {
    if (known.placement.laid !== undefined || laid === undefined) return false;
    known.placement = { ...known.placement, laid };
    this.version++;
    return true;
  }

  /** For one more model: of those that nobody has use for the one that nobody used for longest goes. */
  #makeRoom(isOwn: boolean): boolean {
    if (this.#models.size < MODELS_KNOWN) return true;
    let least: ModelKey | undefined;
    let leastRank = Number.POSITIVE_INFINITY;
    for (const model of this.#models.keys()) {
      const rank = RANK[this.#use.ofModel(model)];
      const isLess = rank < leastRank || (rank === leastRank && this.#usedAt(model) < this.#usedAt(least));
      if (isLess) [least, leastRank] = [model, rank];
    }
    if (least === undefined || (leastRank > 0 && !isOwn)) return false;
    this.#models.delete(least);
    this.#usedMs.delete(least);
    return true;
  }

  #usedAt(model: ModelKey | undefined): number {
    return (model === undefined ? undefined : this.#usedMs.get(model)) ?? 0;
  }

  /** Of those below the highest few, which new proposals go by: what is in least use, of that the lowest. */
  #dropLeast(known: KnownPlacement[]): Placement | undefined {
    let least = known.length - 1;
    let leastRank = Number.POSITIVE_INFINITY;
    for (let i = known.length - 1; i >= PLACEMENTS_KEPT; i--) {
      const rank = RANK[this.#use.ofPlacement((known[i] as KnownPlacement).placement.id)];
      if (rank < leastRank) [least, leastRank] = [i, rank];
    }
    return known.splice(least, 1)[0]?.placement;
  }

  /** The highest that a placement of any known model has; 0: none. */
  get highestEpoch(): number {
    let highest = 0;
    for (const known of this.#models.values()) highest = Math.max(highest, known[0]?.placement.id.epoch ?? 0);
    return highest;
  }

  /** Forgets placements above an epoch: nobody believes them. */
  dropAbove(epoch: number): void {
    if (this.highestEpoch <= epoch) return;
    for (const [model, known] of this.#models) {
      const kept = known.filter(({ placement }) => placement.id.epoch <= epoch);
      if (kept.length > 0) this.#models.set(model, kept);
      else {
        this.#models.delete(model);
        this.#usedMs.delete(model);
      }
    }
    for (const [model, past] of this.#past) if (past.epoch > epoch) this.#past.delete(model);
    this.version++;
  }

  /** The highest that a placement of the model ever had, as far as is known; 0: none. */
  epochOf(model: ModelKey): number {
    return Math.max(this.highest(model)?.placement.id.epoch ?? 0, this.#past.get(model)?.epoch ?? 0);
  }

  /** The round in which a person laid the model over the devices last, as far as is known; 0: nobody did. */
  laidIn(model: ModelKey): number {
    const past = this.#past.get(model)?.laid ?? 0;
    return this.of(model).reduce((latest, { placement }) => Math.max(latest, roundLaid(placement)), past);
  }

  /** Of a model that was given up since: others that have not yet shall not bring it back. */
  hasForgotten({ model, epoch }: PlacementId): boolean {
    const past = this.#past.get(model);
    return !this.#models.has(model) && past?.isShut === true && epoch <= past.epoch;
  }

  /** Forgets models that nobody ran or held for long, but for the one that was placed last. */
  forgetUnused(inUse: ReadonlySet<ModelKey>, nowMs: number): void {
    const [newest] = this.newestFirst();
    for (const model of this.#models.keys()) {
      if (inUse.has(model) || model === newest) this.#usedMs.set(model, nowMs);
      else if (nowMs - (this.#usedMs.get(model) ?? nowMs) > FORGET_MS) this.#forget(model);
    }
    // somebody who was away holds it still
    for (const model of inUse) {
      const past = this.#past.get(model);
      if (past !== undefined) past.isShut = false;
    }
  }

  #forget(model: ModelKey): void {
    const past = { epoch: this.epochOf(model), laid: this.laidIn(model), isShut: true };
    this.#models.delete(model);
    this.#usedMs.delete(model);
    this.#past.delete(model);
    this.#past.set(model, past);
    const [oldest] = this.#past.keys();
    if (this.#past.size > MOST_FORGOTTEN && oldest !== undefined) this.#past.delete(oldest);
  }

  /** Forgets all but the highest few and those that are wanted. */
  prune(keptHighest: number, isWanted: (id: PlacementId) => boolean): void {
    for (const [model, known] of this.#models) {
      if (known.length <= keptHighest) continue;
      const kept = known.filter(({ placement }, index) => index < keptHighest || isWanted(placement.id));
      if (kept.length < known.length) this.#models.set(model, kept);
    }
  }
}

const UNUSED: Pick<Use, 'ofPlacement' | 'ofModel'> = { ofPlacement: () => 'nobody', ofModel: () => 'nobody' };
