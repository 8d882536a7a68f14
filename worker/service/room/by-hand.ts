import type { LayersByHand } from '../../api.ts';
import { bytesInWords } from '../../bytes-in-words.ts';
import { MemoryError, PersonError } from '../../errors.ts';
import type { DeviceId, DeviceProfile, StageAssignment } from '../../mesh/types.ts';

/** Who could take layers, and what is free there for the model at hand. */
export interface ByHandRoom {
  readonly layers: number;
  readonly candidates: readonly {
    readonly device: DeviceId;
    readonly profile: DeviceProfile;
    readonly freeBytes: number;
    /** It has these layers on its GPU for somebody who needs them there: they are not in `freeBytes`. */
    readonly holds: (first: number, last: number) => boolean;
  }[];
  /** All that a stage of layers [first, last) takes on such a device. */
  readonly bytes: (first: number, last: number, profile: DeviceProfile) => number;
  readonly nameOf: (device: DeviceId) => string;
}

/**
 * Layers as a person gave them to devices, as stages.
 * @throws PersonError where they do not add up, or a device cannot take any; MemoryError where one lacks room
 */
export function stagesByHand(byHand: LayersByHand, room: ByHandRoom): StageAssignment[] {
  const stages: StageAssignment[] = [];
  let first = 0;
  for (const { device, layers } of byHand) {
    if (!Number.isInteger(layers) || layers < 0) throw new PersonError('Layers are counted in whole numbers.');
    if (layers > 0) stages.push({ device, first, last: first + layers });
    first += layers;
  }
  if (first !== room.layers) {
    throw new PersonError(`The model has ${room.layers} layers; ${first} were given to devices.`, {
      layers: room.layers,
      given: first,
    });
  }
  for (const stage of stages) {
    if (stages.some((other) => other !== stage && other.device === stage.device)) {
      throw new PersonError(`${room.nameOf(stage.device)} was given layers twice.`, { device: stage.device });
    }
    check(stage, room);
  }
  return stages;
}

function check({ device, first, last }: StageAssignment, { candidates, bytes, nameOf }: ByHandRoom): void {
  const candidate = candidates.find((each) => each.device === device);
  if (candidate === undefined || !candidate.profile.compute) {
    const why = candidate === undefined ? 'cannot be reached now' : 'has no GPU for models';
    throw new PersonError(`${nameOf(device)} ${why}. Give its layers to another device.`, { device });
  }
  const { freeBytes, profile } = candidate;
  const needed = bytes(first, last, profile);
  if (needed <= freeBytes || candidate.holds(first, last)) return;
  let most = last - first;
  while (most > 0 && bytes(first, first + most, profile) > freeBytes) most--;
  throw new MemoryError(
    `${nameOf(device)} has ${bytesInWords(freeBytes)} free, and layers ${first + 1}–${last} need ${bytesInWords(needed)}. ` +
      (most > 0 ? `Give it ${most} at most.` : 'Give its layers to another device.'),
    { device, most, neededBytes: needed, allowedBytes: freeBytes },
  );
}
