/** Cuts a stream of text at the first stop string, and holds back what may yet become one. */
export interface StopFilter {
  /** Text that is certain to be shown; `stopped` when a stop string was met. What follows is ignored. */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** What was held back, at the end. */
  finish(): string;
}

/**
 * The stop string that is complete first wins (of two that end together the longer), so the result does not depend on
 * how the text was cut. Empty stop strings are ignored.
 */
export function createStopFilter(stopStrings: readonly string[]): StopFilter {
  // A lone surrogate can not occur in decoded text, and would split characters.
  const stops = stopStrings.filter((stop) => stop !== '' && !/\p{Surrogate}/u.test(stop));
  const longest = Math.max(0, ...stops.map((stop) => stop.length));
  let held = '';
  let stopped = false;
  return {
    push(text) {
      if (stopped) return { text: '', stopped };
      held += text;
      const at = firstStop(held, stops);
      if (at !== undefined) {
        stopped = true;
        const shown = held.slice(0, at);
        held = '';
        return { text: shown, stopped };
      }
      const keep = heldBack(held, stops, longest);
      const shown = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return { text: shown, stopped };
    },
    finish() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

/** Where the stop string starts that is complete first. */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  let start: number | undefined;
  let end = Number.POSITIVE_INFINITY;
  for (const stop of stops) {
    const at = text.indexOf(stop);
    if (at < 0) continue;
    const stopEnd = at + stop.length;
    if (stopEnd < end || (stopEnd === end && at < (start as number))) {
      start = at;
      end = stopEnd;
    }
  }
  return start;
}

/** Length of the longest end of `text` that begins a stop string. */
function heldBack(text: string, stops: readonly string[], longest: number): number {
  for (let length = Math.min(longest - 1, text.length); length > 0; length--) {
    const end = text.slice(text.length - length);
    if (stops.some((stop) => stop.length > length && stop.startsWith(end))) return length;
  }
  return 0;
}
