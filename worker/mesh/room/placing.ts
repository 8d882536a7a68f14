import type { DeviceId, DeviceState, ModelKey, StageAssignment } from '../types.ts';
import { type Candidate, type Dealt, deal } from './deal.ts';
import type { ModelSizes } from './io.ts';
import type { Trust, View } from './view.ts';

/** Devices with room that are linked to at a time. */
const SOUGHT_DEVICES = 4;

/** What a driver could propose, given whom it reaches and what they hold. */
export class Placing {
  readonly #view: View;
  readonly #models: ModelSizes;

  constructor(view: View, models: ModelSizes) {
    this.#view = view;
    this.#models = models;
  }

  /** Only who has a link is sure to answer. */
  isAtHand(device: DeviceId): boolean {
    return device === this.#view.device || this.#view.links.isUp(device);
  }

  /** A placement that would serve now, over devices that may be used. Undefined: the model is not known here. */
  deal(model: ModelKey, nowMs: number, may: (device: DeviceId) => boolean, trust: Trust = 'sure'): Dealt | undefined {
    const layers = this.#models.layers(model);
    if (layers === undefined) return undefined;
    const view = this.#view;
    const candidates = this.candidates(model, nowMs, may, trust);
    return deal({
      model,
      layers,
      bytes: (first, last, profile) => this.#models.bytes(model, first, last, profile) ?? Number.POSITIVE_INFINITY,
      candidates,
      apart: (a, b) => view.isApart(a, b),
      base: view.book.highest(model)?.placement,
      stays: ({ device, first, last }) => {
        if (!candidates.some((candidate) => candidate.device === device)) return false;
        const phase = view.records.stage(device, model, first, last)?.phase;
        return phase === 'ready' || phase === 'loading';
      },
    });
  }

  /** Token ids of the model are below it. Undefined: not known here. */
  vocabulary(model: ModelKey): number | undefined {
    return this.#models.vocabulary?.(model);
  }

  /** Devices that could take layers of the model. */
  candidates(model: ModelKey, nowMs: number, may: (device: DeviceId) => boolean, trust: Trust = 'sure'): Candidate[] {
    const view = this.#view;
    const candidates: Candidate[] = [];
    for (const state of view.answering(nowMs, trust, model)) {
      const { device } = state;
      if (!may(device) || view.links.isSuspected(device) || view.isApart(view.device, device)) continue;
      candidates.push(this.#candidate(state, model));
    }
    return candidates;
  }

  /** Devices to link to because they could take layers: those dealt to, and those with most room. */
  worthLinking(stages: readonly StageAssignment[], nowMs: number): DeviceId[] {
    const free = [...this.#view.answering(nowMs)]
      .filter(({ device, profile }) => profile.compute && !this.#view.isApart(this.#view.device, device))
      .sort((a, b) => b.freeBytes - a.freeBytes);
    return [...stages, ...free.slice(0, SOUGHT_DEVICES)].map(({ device }) => device);
  }

  /** What the device could take for the model: what it holds that nobody needs gives way. */
  #candidate({ device, profile, freeBytes, stages }: DeviceState, model: ModelKey): Candidate {
    let free = freeBytes;
    const own = stages.map((stage) => {
      const { first, last, placement, phase } = stage;
      const givesWay = phase !== 'failed' && !this.#view.isNeeded(device, placement.model, first, last);
      if (givesWay) free += this.#models.bytes(placement.model, first, last, profile) ?? 0;
      return { ...stage, givesWay };
    });
    // who tried in vain a short while ago keeps what it has, and is given no more
    const hasFailed = stages.some(({ phase, placement }) => phase === 'failed' && placement.model === model);
    return { device, profile, stages: own, isLinked: this.isAtHand(device), freeBytes: hasFailed ? 0 : free };
  }
}
