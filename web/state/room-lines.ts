/** What a room did about an answer, kept with it: the lines of one trouble become one line of history. */
import type { RoomLine } from '../../worker/api.ts';

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

function last<K extends RoomLine['kind']>(lines: readonly RoomLine[], kind: K) {
  return lines.findLast((line): line is Extract<RoomLine, { kind: K }> => line.kind === kind);
}
