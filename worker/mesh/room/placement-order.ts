import type { ModelKey, Placement, PlacementId } from '../types.ts';
import type { StageKey } from './messages.ts';

/** Of an epoch: the lower part is the proposer's incarnation, the rest the round, which rises. */
const INCARNATIONS = 256;

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
  readonly placement: Placement;
  /** When it was heard of, awake ms. */
  readonly learnedMs: number;
  /** Since when all its stages were there but not all links; undefined: not so now. */
  unlinkedSinceMs: number | undefined;
}

/** The placements of each model that a device knows, highest first. */
export class PlacementBook {
  readonly #models = new Map<ModelKey, KnownPlacement[]>();
  version = 0;

  models(): Iterable<ModelKey> {
    return this.#models.keys();
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

  /** True where it is new and can be of use. */
  add(placement: Placement, nowMs: number): boolean {
    if (placementFault(placement) !== undefined) return false;
    const { model } = placement.id;
    let known = this.#models.get(model);
    if (known === undefined) {
      known = [];
      this.#models.set(model, known);
    }
    let at = 0;
    for (; at < known.length; at++) {
      const order = comparePlacements(placement.id, (known[at] as KnownPlacement).placement.id);
      if (order === 0) return false;
      if (order > 0) break;
    }
    known.splice(at, 0, { placement, learnedMs: nowMs, unlinkedSinceMs: undefined });
    this.version++;
    return true;
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
