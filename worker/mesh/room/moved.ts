import type { DeviceId, StageAssignment } from '../types.ts';

/** Between two placements of a model: the devices that no longer have layers they had, and those that have them now. */
export function movedLayers(
  before: readonly StageAssignment[],
  now: readonly StageAssignment[],
): { readonly from: readonly DeviceId[]; readonly to: readonly DeviceId[] } {
  const from = new Set<DeviceId>();
  const to = new Set<DeviceId>();
  for (const old of before) {
    for (const { device, first, last } of now) {
      if (device === old.device || last <= old.first || first >= old.last) continue;
      from.add(old.device);
      to.add(device);
    }
  }
  return { from: [...from], to: [...to] };
}
