import type { Constants, FaultKind } from './constants.ts';
import type { Random } from './random.ts';

export type Direction = readonly [from: number, to: number];

/** How a device sleeps. */
export interface Nap {
  /** Its monotonic clock does not count the time. */
  readonly clockStands: boolean;
  /** What arrived meanwhile is lost with its links. */
  readonly loses: boolean;
  readonly saidGoodbye: boolean;
  readonly beganMs: number;
}

export function drawFault({ faults }: Constants, random: Random): FaultKind {
  let at = random.unit();
  for (const [kind, share] of Object.entries(faults)) {
    at -= share;
    if (at < 0) return kind as FaultKind;
  }
  return 'death';
}

/** The directions that a partition blocks between a device, with some that are cut off with it, and the rest. */
export function drawCut(constants: Constants, random: Random, device: number, isOneWay: boolean): Direction[] {
  const { devices, partitionGrowth } = constants;
  const inside = new Set([device]);
  while (inside.size < devices / 2 && random.chance(partitionGrowth)) inside.add(random.integer(0, devices - 1));
  const directions: Direction[] = [];
  for (const from of inside) {
    for (let to = 0; to < devices; to++) {
      if (inside.has(to)) continue;
      if (isOneWay && random.chance(0.5)) continue;
      directions.push([from, to]);
      if (!isOneWay) directions.push([to, from]);
    }
  }
  return directions;
}
