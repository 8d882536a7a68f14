import type { RoomModelView, RoomView } from '../../worker/api.ts';
import type { Models } from './models.ts';
import type { RoomState } from './room.ts';

/** What answers conversations of this window: a model that it has loaded itself, else the one that its room runs. */
export type Answering =
  | { readonly by: 'device'; readonly name: string; readonly contextTokens: number }
  | {
      readonly by: 'room';
      readonly name: string;
      readonly contextTokens: number;
      readonly model: RoomModelView;
      readonly devices: number;
    };

interface Parts {
  readonly models: Pick<Models, 'loaded'>;
  readonly room: Pick<RoomState, 'view'>;
}

/** Undefined where nothing does; a room's model answers while it still loads, too: the answer waits for it. */
export function answering({ models, room }: Parts): Answering | undefined {
  const loaded = models.loaded.value;
  if (loaded) return { by: 'device', name: loaded.summary.name, contextTokens: loaded.contextTokens };
  const model = roomModel(room.view.value);
  if (!model) return undefined;
  const { name, contextTokens, stages } = model;
  return { by: 'room', name, contextTokens, model, devices: new Set(stages.map(({ device }) => device)).size };
}

/** The model that the room's next answer runs on. */
export function roomModel(view: RoomView | undefined): RoomModelView | undefined {
  return view?.phase === 'in' ? view.models[0] : undefined;
}
