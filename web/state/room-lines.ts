/** What a room did about an answer, kept with it: the lines of one trouble become one line of history. */
import type { RoomLine, RoomView } from '../../worker/api.ts';
import { roomModel } from './answering.ts';

/** How a trouble ended, by the names that devices had then. */
export type RoomPast =
  /** Others compute its layers since; `gone` is the device that left, where one did. */
  | { readonly kind: 'moved'; readonly gone?: string; readonly devices: readonly string[] }
  /** Silent for a while, and back. */
  | { readonly kind: 'silent'; readonly device: string }
  | { readonly kind: 'paused'; readonly missingBytes: number };

/**
 * What the lines of a trouble come to; undefined for mere waiting, which nobody needs to know of later.
 * @param hadBegun some of the answer was there before: then a move broke it off
 */
export function pastOf(lines: readonly RoomLine[], hadBegun: boolean): RoomPast | undefined {
  const moved = last(lines, 'moved');
  const suspected = last(lines, 'suspected')?.device;
  const paused = last(lines, 'paused');
  const cameBack = moved !== undefined && suspected !== undefined && moved.devices.includes(suspected);
  if (moved && !cameBack && (hadBegun || suspected !== undefined || paused)) {
    return { kind: 'moved', ...(suspected === undefined ? {} : { gone: suspected }), devices: moved.devices };
  }
  if (paused) return { kind: 'paused', missingBytes: paused.missingBytes };
  return suspected === undefined ? undefined : { kind: 'silent', device: suspected };
}

/** Who computes the room's next answer: names by device. */
export function computingDevices(view: RoomView | undefined): ReadonlyMap<string, string> {
  const names = new Map(view?.devices.map(({ device, name }) => [device, name]));
  return new Map(roomModel(view)?.stages.map(({ device }) => [device, names.get(device) ?? '']));
}

/** What is to be said of an answer that goes on with other devices than before; nothing where they are the same. */
export function movedLines(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): readonly RoomLine[] {
  const gone = [...before].filter(([device, name]) => !now.has(device) && name !== '').map(([, name]) => name);
  const devices = [...now.values()].filter((name) => name !== '');
  if (gone.length === 0 || devices.length === 0) return [];
  return [...gone.map((device) => ({ kind: 'suspected', device }) as const), { kind: 'moved', devices }];
}

function last<K extends RoomLine['kind']>(lines: readonly RoomLine[], kind: K) {
  return lines.findLast((line): line is Extract<RoomLine, { kind: K }> => line.kind === kind);
}
