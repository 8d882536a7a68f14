import type { DeviceId, DeviceProfile, Placement, StageAssignment, StageState } from '../types.ts';
import { cheapestCover } from './cover.ts';

export interface CandidateStage extends StageState {
  /** Nobody runs on it or waits for it: it gives way to a load, and its bytes count as free. */
  readonly givesWay: boolean;
}

/** A device that may take layers. */
export interface Candidate {
  readonly device: DeviceId;
  readonly profile: DeviceProfile;
  /** Budget that no stage takes, and what those take that would give way. */
  readonly freeBytes: number;
  readonly stages: readonly CandidateStage[];
  /** The dealer has a link to it: that it answers is certain. */
  readonly isLinked: boolean;
}

export interface DealRequest {
  readonly model: string;
  readonly layers: number;
  readonly bytes: (first: number, last: number, profile: DeviceProfile) => number;
  readonly candidates: readonly Candidate[];
  /** True where two devices are known not to reach one another. */
  readonly apart: (a: DeviceId, b: DeviceId) => boolean;
  /** The placement to repair. */
  readonly base: Placement | undefined;
  /** Whether a stage of the base can stay where it is. */
  readonly stays: (stage: StageAssignment) => boolean;
}

export type Dealt =
  | { readonly stages: readonly StageAssignment[] }
  /** 0: there would be room, but on devices that do not reach one another. */
  | { readonly missingBytes: number };

/**
 * Who shall hold which layers: what devices hold already, with what lacks loaded by one device each; else what stays of
 * the base, with what lacks split; else all layers dealt anew.
 */
export function deal(request: DealRequest): Dealt {
  const isHeld = request.candidates.some(({ stages }) =>
    stages.some(({ placement }) => placement.model === request.model),
  );
  const covered = isHeld ? cheapestCover(request) : undefined;
  if (covered !== undefined) return { stages: covered };
  const repaired = request.base && repair(request, request.base);
  if (repaired !== undefined) return { stages: repaired };
  return dealAnew(request);
}

/** All stages that can stay do; each gap between them goes to who has room. */
function repair(request: DealRequest, base: Placement): StageAssignment[] | undefined {
  if (base.stages.at(-1)?.last !== request.layers) return undefined;
  const staying = base.stages.filter((stage) => request.stays(stage));
  if (staying.length === 0) return undefined;
  const kept = withoutPairsApart(staying, request.apart);
  const room = new Room(request, kept);
  const stages: StageAssignment[] = [];
  let layer = 0;
  for (const stage of [...kept, undefined]) {
    const gapEnd = stage?.first ?? request.layers;
    if (gapEnd > layer) {
      const before = stages.at(-1)?.device;
      const filled = room.fill(layer, gapEnd, before, stage?.device, kept);
      if (filled === undefined) return undefined;
      stages.push(...filled);
    }
    if (stage !== undefined) {
      stages.push(stage);
      layer = stage.last;
    }
  }
  return isLinkable(stages, request.apart) ? stages : undefined;
}

/** Of two neighbours that do not reach one another the one goes that reaches fewer; of equal ones the later. */
function withoutPairsApart(stages: readonly StageAssignment[], apart: DealRequest['apart']): StageAssignment[] {
  const kept = [...stages];
  for (;;) {
    const troubles = kept.map((stage) => kept.filter((other) => apart(stage.device, other.device)).length);
    const bad = kept.findIndex((stage, index) => {
      const next = kept[(index + 1) % kept.length] as StageAssignment;
      return kept.length > 1 && apart(stage.device, next.device);
    });
    if (bad < 0) return kept;
    const next = (bad + 1) % kept.length;
    kept.splice((troubles[bad] ?? 0) > (troubles[next] ?? 0) ? bad : next, 1);
  }
}

/** What candidates can still take while layers are dealt. */
class Room {
  readonly #request: DealRequest;
  readonly #free: Map<DeviceId, number>;

  constructor(request: DealRequest, kept: readonly StageAssignment[]) {
    this.#request = request;
    this.#free = new Map(request.candidates.map(({ device, freeBytes }) => [device, freeBytes]));
    for (const { device, first, last } of kept) {
      const candidate = request.candidates.find((one) => one.device === device);
      const held = candidate?.stages.find(
        (one) => one.placement.model === request.model && one.first === first && one.last === last,
      );
      if (candidate !== undefined && held?.givesWay) this.#take(candidate, first, last);
    }
  }

  fill(
    first: number,
    last: number,
    before: DeviceId | undefined,
    after: DeviceId | undefined,
    kept: readonly StageAssignment[],
  ): StageAssignment[] | undefined {
    const reaches = (device: DeviceId) =>
      (before === undefined || !this.#request.apart(device, before)) &&
      (after === undefined || !this.#request.apart(device, after));
    // fewest hops: who is in the pipeline anyway is asked first, then who has most room
    const hops = new Set(kept.map(({ device }) => device));
    const order = [...this.#request.candidates].sort(
      (a, b) =>
        Number(hops.has(b.device)) - Number(hops.has(a.device)) ||
        Number(b.isLinked) - Number(a.isLinked) ||
        this.#freeOf(b) - this.#freeOf(a) ||
        order2(a, b),
    );
    for (const candidate of order) {
      if (this.#fits(candidate, first, last) && reaches(candidate.device)) {
        return [this.#take(candidate, first, last)];
      }
    }
    return this.#split(first, last, order);
  }

  /** Each in turn takes as many layers as it can hold. */
  #split(first: number, last: number, order: readonly Candidate[]): StageAssignment[] | undefined {
    const stages: StageAssignment[] = [];
    let layer = first;
    for (const candidate of order) {
      let end = last;
      while (end > layer && !this.#fits(candidate, layer, end)) end--;
      if (end === layer) continue;
      stages.push(this.#take(candidate, layer, end));
      layer = end;
      if (layer === last) return stages;
    }
    return undefined;
  }

  #freeOf({ device }: Candidate): number {
    return this.#free.get(device) ?? 0;
  }

  #fits(candidate: Candidate, first: number, last: number): boolean {
    return candidate.profile.compute && this.#request.bytes(first, last, candidate.profile) <= this.#freeOf(candidate);
  }

  #take(candidate: Candidate, first: number, last: number): StageAssignment {
    const left = this.#freeOf(candidate) - this.#request.bytes(first, last, candidate.profile);
    this.#free.set(candidate.device, Math.max(0, left));
    return { device: candidate.device, first, last };
  }
}

function order2(a: Candidate, b: Candidate): number {
  return a.device < b.device ? -1 : 1;
}

/** The fewest devices whose budgets hold the model, the largest first, ranges in proportion to budgets. */
function dealAnew(request: DealRequest): Dealt {
  const { layers } = request;
  let pool = request.candidates
    .filter(({ profile }) => profile.compute)
    .map((candidate) => ({ candidate, bytes: candidate.freeBytes }))
    .sort((a, b) => b.bytes - a.bytes || order2(a.candidate, b.candidate));
  let reached = true;
  for (;;) {
    const stages = fewest(request, pool);
    if (stages === undefined) break;
    const bad = stages.find(({ device }, index) => {
      const next = stages[(index + 1) % stages.length] as StageAssignment;
      return stages.length > 1 && request.apart(device, next.device);
    });
    if (bad === undefined) return { stages };
    reached = false;
    pool = pool.filter(({ candidate }) => candidate.device !== bad.device);
  }
  if (!reached) return { missingBytes: 0 };
  const computing = pool.at(0)?.candidate.profile;
  const total = pool.reduce((sum, { bytes }) => sum + Math.max(0, bytes), 0);
  const needed = request.bytes(0, layers, computing ?? NO_PROFILE);
  return { missingBytes: Math.max(1, needed - total) };
}

const NO_PROFILE: DeviceProfile = { compute: true, budgetBytes: 0, storage: 'f16', platform: 'other' };

type Pool = readonly { readonly candidate: Candidate; readonly bytes: number }[];

function fewest(request: DealRequest, pool: Pool): StageAssignment[] | undefined {
  for (let count = 1; count <= Math.min(pool.length, request.layers); count++) {
    const stages = inProportion(request, pool.slice(0, count)) ?? filled(request, pool.slice(0, count));
    if (stages !== undefined) return stages;
  }
  return undefined;
}

function inProportion({ layers, bytes }: DealRequest, pool: Pool): StageAssignment[] | undefined {
  const total = pool.reduce((sum, part) => sum + part.bytes, 0);
  if (total <= 0) return undefined;
  const stages: StageAssignment[] = [];
  let before = 0;
  let layer = 0;
  for (const part of pool) {
    before += part.bytes;
    const last = Math.round((layers * before) / total);
    if (last <= layer || bytes(layer, last, part.candidate.profile) > part.bytes) return undefined;
    stages.push({ device: part.candidate.device, first: layer, last });
    layer = last;
  }
  return stages;
}

/** Where rounding does not fit: each takes as many layers as it holds. */
function filled({ layers, bytes }: DealRequest, pool: Pool): StageAssignment[] | undefined {
  const stages: StageAssignment[] = [];
  let layer = 0;
  for (const part of pool) {
    let last = layers;
    while (last > layer && bytes(layer, last, part.candidate.profile) > part.bytes) last--;
    if (last === layer) continue;
    stages.push({ device: part.candidate.device, first: layer, last });
    layer = last;
    if (layer === layers) return stages;
  }
  return undefined;
}

/** Whether each stage's device reaches the next one's, and the last the first. */
function isLinkable(stages: readonly StageAssignment[], apart: DealRequest['apart']): boolean {
  return stages.every(({ device }, index) => {
    const next = stages[(index + 1) % stages.length] as StageAssignment;
    return device === next.device || !apart(device, next.device);
  });
}
