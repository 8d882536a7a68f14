import type { DeviceState, StageState } from '../types.ts';

/** A device's record for tests. */
export function stateOf(device: string, parts: Partial<DeviceState> = {}): DeviceState {
  return {
    device,
    incarnation: 1,
    counter: 1,
    address: `${device}-1`,
    name: device,
    version: { app: '0', wire: 1 },
    profile: { compute: true, budgetBytes: 100, storage: 'f16', platform: 'linux' },
    freeBytes: 100,
    visible: true,
    wakeLock: false,
    links: [],
    lost: [],
    stages: [],
    driving: [],
    ...parts,
  };
}

export function stageOf(first: number, last: number, phase: StageState['phase'] = 'ready'): StageState {
  return { placement: { model: 'm', epoch: 256, proposer: 'a' }, first, last, phase, doneBytes: 0, totalBytes: 0 };
}
