import type { DeviceId, ModelKey } from '../types.ts';
import type { RoomNode } from './node.ts';

/**
 * Answers that run on the model now, as far as `device`, whose node this is, can tell: a driver keeps its placement for a
 * while after an answer, and who neither drives the session nor holds a stage of it cannot tell that from an answer.
 */
export function answersOn<P>(
  { records, book, driver, stages }: Pick<RoomNode<P>, 'records' | 'book' | 'driver' | 'stages'>,
  device: DeviceId,
  model: ModelKey,
): number {
  const running = new Set<string>();
  for (const live of records.live()) {
    for (const { session, placement } of records.of(live)?.driving ?? []) {
      if (placement.model !== model) continue;
      const holdsStage = book.get(placement)?.placement.stages.some((stage) => stage.device === device) === true;
      const runs = live === device ? driver.isAnswering(session) : !holdsStage || stages.runs(live, session);
      if (runs) running.add(`${live} ${session}`);
    }
  }
  return running.size;
}
