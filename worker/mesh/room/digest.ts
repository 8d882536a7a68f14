import type { ModelKey, PlacementId } from '../types.ts';
import { DEVICES_A_DIGEST, jsonBytes, MESSAGE_BYTES, PLACEMENTS_A_MESSAGE, within } from './limits.ts';
import type { ControlMessage, RecordPair } from './messages.ts';

export type Digest = Extract<ControlMessage, { kind: 'digest' }>;

/**
 * What a device knows, in as many messages as that needs: the states in the first, each with the placements of the models
 * between two, so that nothing is taken for lacking that another message names.
 */
export function digestsOf(pairs: readonly RecordPair[], ids: readonly PlacementId[]): Digest[] {
  let states = pairs.slice(0, DEVICES_A_DIGEST);
  const digests: Digest[] = [];
  let after: ModelKey | null = null;
  let last: ModelKey | null = null;
  let placements: PlacementId[] = [];
  let bytes = jsonBytes(states);
  for (const [model, all] of byModel(ids)) {
    // where one model has more, its lowest are sent anew, which costs time and nothing else
    const group = within(all, PLACEMENTS_A_MESSAGE);
    const groupBytes = group.reduce((sum, id) => sum + jsonBytes(id), 0);
    const isFull = placements.length + group.length > PLACEMENTS_A_MESSAGE || bytes + groupBytes > MESSAGE_BYTES;
    if (isFull && last !== null) {
      digests.push({ kind: 'digest', states, placements, models: [after, last] });
      after = last;
      states = [];
      placements = [];
      bytes = 0;
    }
    placements.push(...group);
    bytes += groupBytes;
    last = model;
  }
  const rest: Digest = { kind: 'digest', states, placements };
  digests.push(after === null ? rest : { ...rest, models: [after, null] });
  return digests;
}

/** Whether a digest says something about placements of the model. */
export function speaksOf({ models }: Digest, model: ModelKey): boolean {
  const [after, upTo] = models ?? [null, null];
  return (after === null || model > after) && (upTo === null || model <= upTo);
}

function byModel(ids: readonly PlacementId[]): [ModelKey, PlacementId[]][] {
  const groups = new Map<ModelKey, PlacementId[]>();
  for (const id of ids) {
    const group = groups.get(id.model);
    if (group === undefined) groups.set(id.model, [id]);
    else group.push(id);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}
