/** What a room did about an answer, kept with it: the lines of one trouble become one line of history. */
import type { RoomLine } from '../../worker/api.ts';

/** How a trouble ended, by the names that devices had then. */
export type RoomPast =
  /** `devices` have layers since that others had; `gone` of those others went away. */
  | { readonly kind: 'moved'; readonly gone: readonly string[]; readonly devices: readonly string[] }
  /** Silent for a while, and back. */
  | { readonly kind: 'silent'; readonly device: string }
  | { readonly kind: 'paused'; readonly missingBytes: number };

/** What the lines of a trouble come to; undefined for mere waiting, which nobody needs to know of later. */
export function pastOf(lines: readonly RoomLine[]): RoomPast | undefined {
  // the last one tells all that moved since the last token
  const moved = last(lines, 'moved');
  if (moved) return moved;
  const paused = last(lines, 'paused');
  if (paused) return paused;
  const suspected = last(lines, 'suspected')?.device;
  return suspected === undefined ? undefined : { kind: 'silent', device: suspected };
}

function last<K extends RoomLine['kind']>(lines: readonly RoomLine[], kind: K) {
  return lines.findLast((line): line is Extract<RoomLine, { kind: K }> => line.kind === kind);
}
