import type { RoomDevice, RoomModelView, RoomStage, RoomView } from '../../api.ts';
import { answersOn } from '../../mesh/room/answers.ts';
import type { RoomNode } from '../../mesh/room/node.ts';
import type { DeviceId, DeviceState, ModelKey, Placement } from '../../mesh/types.ts';
import { quantizationOf } from '../../weights/quantization.ts';
import { modelName, servedName } from '../model-name.ts';
import type { LoadRates } from './load-rates.ts';
import type { Members } from './members.ts';
import { readModelKey } from './model-key.ts';
import type { RoomModels } from './room-models.ts';
import type { Rows } from './rows.ts';

export interface ViewParts {
  readonly self: DeviceId;
  readonly directory: string;
  readonly invite: string | undefined;
  readonly members: Members;
  readonly node: RoomNode<Rows>;
  readonly models: RoomModels;
  readonly rates: LoadRates;
  readonly nowMs: number;
  readonly trouble: string | undefined;
  readonly slot: number | undefined;
}

/** The room for people: everything that its page shows. */
export function roomView(parts: ViewParts): RoomView {
  const { self, directory, invite, members, node, trouble } = parts;
  const live = node.records.live();
  const devices = members.membership.members.map(({ device, name }): RoomDevice => {
    const state = node.records.of(device);
    return {
      device,
      name,
      own: device === self,
      presence: presenceOf(device, state, live),
      platform: state?.profile.platform ?? 'other',
      compute: state?.profile.compute ?? false,
      budgetBytes: state?.profile.budgetBytes ?? 0,
      freeBytes: state?.freeBytes ?? 0,
    };
  });
  return {
    phase: 'in',
    directory,
    ...(invite === undefined ? {} : { invite }),
    self,
    ...(parts.slot === undefined ? {} : { slot: parts.slot }),
    askFirst: members.askFirst.askFirst,
    devices,
    asking: members.questions.map(({ newcomer: { device, name } }) => ({ device, name })),
    models: newestFirst(node).flatMap((model) => modelView(parts, model) ?? []),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

function presenceOf(device: DeviceId, state: DeviceState | undefined, live: ReadonlySet<DeviceId>) {
  if (!live.has(device)) return 'away';
  return state === undefined ? 'joining' : 'here';
}

/** The highest placement that is ready, else the highest: what the next answer would run on. */
function bestPlacement(node: RoomNode<Rows>, model: ModelKey): Placement | undefined {
  const known = node.book.of(model);
  const ready = known.find(({ placement }) => stagesOf(node, placement).every(({ phase }) => phase === 'ready'));
  return (ready ?? known[0])?.placement;
}

/** The room's models; the first, which a person laid last, is the one that the next answer runs on. */
export function newestFirst(node: RoomNode<Rows>): readonly ModelKey[] {
  return node.book.newestFirst();
}

function modelView({ self, node, models, rates, nowMs }: ViewParts, model: ModelKey): RoomModelView | undefined {
  const placement = bestPlacement(node, model);
  if (placement === undefined) return undefined;
  const stages = stagesOf(node, placement);
  const layers = models.layers(model);
  const newest = node.book.highest(model)?.placement;
  const coming = newest === undefined || newest === placement ? [] : stagesOf(node, newest);
  const comes = phaseOf(coming) === 'loading' && coming.some(({ phase }) => phase === 'loading');
  return {
    model,
    name: nameOfModel(model),
    ...(layers === undefined ? {} : { layers }),
    contextTokens: models.known(model)?.contextTokens ?? contextOf(model),
    phase: phaseOf(stages),
    stages,
    ...rates.of(model, comes ? coming : stages, nowMs),
    ...(comes && { coming }),
    answers: answersOn(node, self, model),
  };
}

/** With a device away it cannot be whole, however much is loading elsewhere. */
function phaseOf(stages: readonly RoomStage[]): RoomModelView['phase'] {
  const has = (...phases: readonly RoomStage['phase'][]) => stages.some(({ phase }) => phases.includes(phase));
  if (has('away')) return 'interrupted';
  if (has('loading', 'waiting')) return 'loading';
  return has('failed') ? 'interrupted' : 'ready';
}

function stagesOf(node: RoomNode<Rows>, { id, stages }: Placement): RoomStage[] {
  const live = node.records.live();
  return stages.map(({ device, first, last }) => {
    const stage = node.records.stage(device, id.model, first, last);
    return {
      device,
      first,
      last,
      phase: live.has(device) ? (stage?.phase ?? 'waiting') : 'away',
      doneBytes: stage?.doneBytes ?? 0,
      totalBytes: stage?.totalBytes ?? 0,
    };
  });
}

function contextOf(model: ModelKey): number {
  try {
    return readModelKey(model).contextTokens;
  } catch {
    return 0;
  }
}

export function nameIn(members: Members | undefined, device: DeviceId): string {
  return members?.membership.member(device)?.name ?? 'A device that left';
}

function nameOfModel(model: ModelKey): string {
  try {
    const { where } = readModelKey(model);
    if (where.kind === 'hub') return modelName(where, where.file, quantizationOf(where.file) ?? '', where.repository);
    return servedName(where.kind === 'server' ? where.file : where.address);
  } catch {
    return 'A model of another version';
  }
}
