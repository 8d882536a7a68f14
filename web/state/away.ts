/**
 * A page that the system ends for its memory is on the screen and says nothing. One that is closed, reloaded, or ended
 * in the background, as phones do when they are locked, is marked beforehand; the next start tells them apart by that.
 */
const PREFIX = 'shoal-left:';
/** A mark that is older tells nothing of a load that was not looked at since. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

/** The part of `Storage` that is used; written at once, which a page that goes away has no other way for. */
export type Marks = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>;

/** This window, for as long as its page is open. */
export const WINDOW = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join('');

export function markAway(marks: Marks | undefined, isAway: boolean, now: number): void {
  try {
    if (isAway) marks?.setItem(PREFIX + WINDOW, String(now));
    else marks?.removeItem(PREFIX + WINDOW);
  } catch {
    // Full, or none: the next start then takes it for an end by the system.
  }
}

/** Windows that were closed, or were not on the screen when last heard of. Others may be open still: their marks stay. */
export function awayWindows(marks: Marks | undefined, now: number): readonly string[] {
  const away: string[] = [];
  try {
    const keys = Array.from({ length: marks?.length ?? 0 }, (_, i) => marks?.key(i) ?? '');
    for (const key of keys.filter((each) => each.startsWith(PREFIX))) {
      if (now - Number(marks?.getItem(key)) > KEPT_MS) marks?.removeItem(key);
      else away.push(key.slice(PREFIX.length));
    }
  } catch {
    // No storage: nothing is known of other windows.
  }
  return away;
}

/** Keeps this window's mark, from now on. */
export function followAway(): void {
  const mark = () => markAway(localMarks(), document.visibilityState === 'hidden', Date.now());
  document.addEventListener('visibilitychange', mark);
  document.addEventListener('freeze', () => markAway(localMarks(), true, Date.now()));
  document.addEventListener('resume', mark);
  addEventListener('pagehide', () => markAway(localMarks(), true, Date.now()));
  addEventListener('pageshow', mark);
  mark();
}

export function localMarks(): Marks | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
