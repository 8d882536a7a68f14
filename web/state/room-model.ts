/** What the room's page draws of a model: plain data from what the worker tells. */
import type { RoomDevice, RoomModelView, RoomStage, RoomView } from '../../worker/api.ts';

/** All its bytes are here, and the GPU is being prepared. */
export function isPreparing({ phase, doneBytes, totalBytes }: RoomStage): boolean {
  return phase === 'loading' && totalBytes > 0 && doneBytes >= totalBytes;
}

/** All that its devices are to have is there, and their GPUs are being prepared. */
export function isModelPreparing({ phase, stages }: RoomModelView): boolean {
  const open = stages.filter((stage) => stage.phase !== 'ready');
  return phase === 'loading' && open.length > 0 && open.every(isPreparing);
}

export interface StagePart {
  readonly stage: RoomStage;
  readonly layers: number;
  /** Layers that are there, and the one that is arriving. */
  readonly full: number;
  readonly now?: number;
  readonly rest: 'none' | 'hole';
}

/** The parts of a model in the order of its layers; two that lie side by side on one device are one. */
export function stageParts({ stages }: RoomModelView): readonly StagePart[] {
  const joined: RoomStage[] = [];
  for (const stage of [...stages].sort((a, b) => a.first - b.first)) {
    const before = joined.at(-1);
    const isOne = before?.device === stage.device && before.phase === 'ready' && stage.phase === 'ready';
    if (before && isOne) joined[joined.length - 1] = { ...before, last: stage.last };
    else joined.push(stage);
  }
  return joined.map(partOf);
}

function partOf(stage: RoomStage): StagePart {
  const layers = stage.last - stage.first;
  const rest = stage.phase === 'failed' || stage.phase === 'away' ? 'hole' : 'none';
  if (stage.phase === 'ready') return { stage, layers, full: layers, rest };
  if (stage.phase !== 'loading') return { stage, layers, full: 0, rest };
  const share = stage.totalBytes > 0 ? stage.doneBytes / stage.totalBytes : 0;
  const full = Math.min(layers, Math.floor(share * layers));
  return { stage, layers, full, ...(full < layers ? { now: full } : {}), rest };
}

/** Bytes of a model that are on their devices, of all; stages that have not begun count with nothing. */
export function loadedBytes({ stages }: Pick<RoomModelView, 'stages'>): {
  readonly done: number;
  readonly total: number;
} {
  const sum = (of: (stage: RoomStage) => number) => stages.reduce((total, stage) => total + of(stage), 0);
  return { done: sum(({ doneBytes }) => doneBytes), total: sum(({ totalBytes }) => totalBytes) };
}

/** What the devices that are here and compute still give to models, and all that they give. */
export function roomMemory({ devices }: Pick<RoomView, 'devices'>) {
  const computing = devices.filter(({ compute, presence }) => compute && presence === 'here');
  const sum = (of: (device: RoomDevice) => number) => computing.reduce((total, device) => total + of(device), 0);
  return {
    devices: computing.length,
    freeBytes: sum(({ freeBytes }) => freeBytes),
    budgetBytes: sum(({ budgetBytes }) => budgetBytes),
  };
}

/** Who can read a conversation: those with the first and the last layers. */
export function readersOf(model: RoomModelView, devices: readonly RoomDevice[]): readonly string[] {
  const parts = stageParts(model);
  const ends = new Set([parts.at(0)?.stage.device, parts.at(-1)?.stage.device]);
  return [...ends].flatMap((id) => devices.find(({ device }) => device === id)?.name ?? []);
}
