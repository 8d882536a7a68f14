import type { DeviceId, StageAssignment } from '../types.ts';
import type { Candidate, DealRequest } from './deal.ts';

/** What a stage costs a placement: its hop, and what it takes until it can be used; a load by the layers. */
const COST = { staying: 1, ready: 1.5, loading: 8, load: 4, loadAll: 16 };
/** Devices that are tried for a range that must be loaded. */
const LOADERS = 4;
/** Ends the search; what was found until then is taken. */
const MOST_STEPS = 4000;

interface Option extends StageAssignment {
  readonly cost: number;
  /** Of what its device has free or would free. */
  readonly bytes: number;
}

/**
 * The placement that is ready soonest: stages that devices hold or load already, one after the other, with what lacks
 * between them loaded whole by one device each. Only cuts that some stage has already are considered. Undefined: none.
 */
export function cheapestCover(request: DealRequest): StageAssignment[] | undefined {
  const { layers, apart } = request;
  const cuts = cutsOf(request);
  const options = new Map(cuts.map((first) => [first, optionsFrom(request, first, cuts)]));
  const free = new Map(request.candidates.map(({ device, freeBytes }) => [device, freeBytes]));
  const path: Option[] = [];
  let best: StageAssignment[] | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  let steps = 0;
  const walk = (layer: number, cost: number) => {
    if (cost >= bestCost || steps++ > MOST_STEPS) return;
    if (layer === layers) {
      const [first, last] = [path[0], path.at(-1)];
      if (first !== undefined && last !== undefined && apart(last.device, first.device)) return;
      bestCost = cost;
      best = path.map(({ device, first, last }) => ({ device, first, last }));
      return;
    }
    const before = path.at(-1)?.device;
    for (const option of options.get(layer) ?? []) {
      const left = (free.get(option.device) ?? 0) - option.bytes;
      if (left < 0 || (before !== undefined && apart(before, option.device))) continue;
      free.set(option.device, left);
      path.push(option);
      // a device that is in the pipeline anyway is one less that can go
      const isSame = path.some(({ device }, index) => device === option.device && index < path.length - 1);
      walk(option.last, cost + option.cost - (isSame ? 0.5 : 0));
      path.pop();
      free.set(option.device, left + option.bytes);
    }
  };
  walk(0, 0);
  return best;
}

/** Where stages begin or end that somebody holds. */
function cutsOf({ model, layers, base, candidates }: DealRequest): number[] {
  const cuts = new Set([0, layers]);
  for (const { stages } of candidates) {
    for (const { placement, first, last, phase } of stages) {
      if (placement.model !== model || phase === 'failed' || last > layers) continue;
      cuts.add(first).add(last);
    }
  }
  if (base?.stages.at(-1)?.last === layers) for (const { first } of base.stages) cuts.add(first);
  return [...cuts].sort((a, b) => a - b);
}

/** The stages that could begin at a layer, the cheapest first. */
function optionsFrom(request: DealRequest, first: number, cuts: readonly number[]): Option[] {
  const options: Option[] = [];
  for (const { device, stages, profile } of request.candidates) {
    for (const stage of stages) {
      if (stage.placement.model !== request.model || stage.first !== first || stage.phase === 'failed') continue;
      const stays = request.base?.stages.some((one) => isSame(one, device, first, stage.last)) === true;
      const cost = stage.phase === 'loading' ? COST.loading : stays ? COST.staying : COST.ready;
      const bytes = stage.givesWay ? request.bytes(first, stage.last, profile) : 0;
      options.push({ device, first, last: stage.last, cost, bytes });
    }
  }
  const byRoom = request.candidates
    .filter(({ profile }) => profile.compute)
    .sort(
      (a, b) => Number(b.isLinked) - Number(a.isLinked) || b.freeBytes - a.freeBytes || (a.device < b.device ? -1 : 1),
    );
  for (const last of cuts) {
    if (last <= first) continue;
    let loaders = 0;
    for (const candidate of byRoom) {
      if (loaders === LOADERS) break;
      const bytes = request.bytes(first, last, candidate.profile);
      if (bytes > candidate.freeBytes || holds(candidate, request.model, first, last)) continue;
      const cost = COST.load + (COST.loadAll * (last - first)) / request.layers;
      options.push({ device: candidate.device, first, last, cost, bytes });
      loaders++;
    }
  }
  return options.sort((a, b) => a.cost - b.cost || b.last - a.last);
}

function isSame(stage: StageAssignment, device: DeviceId, first: number, last: number): boolean {
  return stage.device === device && stage.first === first && stage.last === last;
}

function holds({ stages }: Candidate, model: string, first: number, last: number): boolean {
  return stages.some((stage) => stage.placement.model === model && stage.first === first && stage.last === last);
}
