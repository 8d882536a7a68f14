import type { LayersByHand } from '../../api.ts';
import { bytesInWords } from '../../bytes-in-words.ts';
import { InternalError, MemoryError, PersonError } from '../../errors.ts';
import type { ModelKey, StageAssignment } from '../../mesh/types.ts';
import { stagesByHand } from './by-hand.ts';
import type { Room } from './room.ts';
import type { RoomHost } from './room-host.ts';
import type { RoomModels } from './room-models.ts';
import { nameIn } from './room-view.ts';

/** Proposes a model whose header was read to the room, its layers dealt by what devices have free, or by hand. */
export function layOut(room: Room, models: RoomModels, model: ModelKey, byHand?: LayersByHand): void {
  const { host } = room;
  if (host === undefined) throw new PersonError('This device is not in the room yet.', { problem: 'joining' });
  const stages = byHand === undefined ? dealt(host, model) : laidByHand(room, host, models, model, byHand);
  host.feed({ kind: 'place', model, stages });
}

function dealt(host: RoomHost, model: ModelKey): readonly StageAssignment[] {
  const preview = host.node.preview(model);
  if (preview === undefined) throw new InternalError('The model that was just read is not known.');
  if (!('stages' in preview)) throw tooLarge(preview.missingBytes);
  return preview.stages;
}

function laidByHand(
  room: Room,
  host: RoomHost,
  models: RoomModels,
  model: ModelKey,
  byHand: LayersByHand,
): StageAssignment[] {
  return stagesByHand(byHand, {
    layers: models.layers(model) ?? 0,
    candidates: host.node.candidates(model).map(({ device, profile, freeBytes, stages }) => ({
      device,
      profile,
      freeBytes,
      holds: (first, last) =>
        stages.some(
          (stage) => stage.placement.model === model && stage.first === first && stage.last === last && !stage.givesWay,
        ),
    })),
    bytes: (first, last, profile) => models.bytes(model, first, last, profile),
    nameOf: (device) => nameIn(room.members, device),
  });
}

function tooLarge(missingBytes: number): MemoryError {
  return new MemoryError(
    missingBytes === 0
      ? 'The devices that have room for this model do not reach one another. Bring them into the same network.'
      : `The room's devices lack ${bytesInWords(missingBytes)} for this model. Invite another device, or choose a smaller model.`,
    { neededBytes: missingBytes, allowedBytes: 0 },
  );
}
